//! The addresses of one cluster.
//!
//! Only the machines' own network is different from cluster to cluster; the ranges of pods and
//! Services are inside the cluster's namespaces, where nobody else sees them.

use std::net::Ipv4Addr;

/// The pods of all nodes; ground.sh knows it too.
pub(crate) const PODS: &str = "10.244.0.0/16";

/// The Services; ground.sh knows it too.
pub(crate) const SERVICES: &str = "10.96.0.0/16";

/// The API server's Service: the first address of the range.
pub(crate) const API_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// The name server's Service.
pub(crate) const DNS_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

/// The port of the API server.
pub(crate) const API_PORT: u16 = 6443;

/// The port of the registry.
pub(crate) const REGISTRY_PORT: u16 = 5000;

/// The port of the registry that wants a password.
pub(crate) const GUARDED_REGISTRY_PORT: u16 = 5001;

/// The network of one cluster's machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lan {
    /// From 1 to 250.
    number: u8,
    /// The largest packet, in bytes.
    pub(crate) mtu: u16,
}

impl Lan {
    pub(crate) fn new(number: u8, mtu: u16) -> Self {
        Self { number, mtu }
    }

    fn address(self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 201, self.number, last)
    }

    /// This machine, as pods see it.
    pub(crate) fn host(self) -> Ipv4Addr {
        self.address(1)
    }

    /// The machine of the control plane and the registry.
    pub(crate) fn control(self) -> Ipv4Addr {
        self.address(2)
    }

    /// A node; the first is 1.
    pub(crate) fn node(self, node: u8) -> Ipv4Addr {
        self.address(2 + node)
    }

    /// `ADDRESS:PORT` of the registry, the same from this machine, the nodes and the pods.
    pub(crate) fn registry(self) -> String {
        format!("{}:{REGISTRY_PORT}", self.control())
    }

    /// The same of the registry that wants a password.
    pub(crate) fn guarded_registry(self) -> String {
        format!("{}:{GUARDED_REGISTRY_PORT}", self.control())
    }

    /// The URL of the API server.
    pub(crate) fn api(self) -> String {
        format!("https://{}:{API_PORT}", self.control())
    }
}

/// The pods of one node.
pub(crate) fn node_pods(node: u8) -> String {
    format!("10.244.{node}.0/24")
}
