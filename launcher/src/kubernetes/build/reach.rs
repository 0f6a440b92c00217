//! What a build may reach: its launcher, the cluster's name servers, and the world outside. Pure
//! functions, held by golden files.
//!
//! A build fetches modules from outside and compiles what nobody vouches for. So it reaches nothing
//! that only those inside may: no pod or Service, no node, no server of credentials. Which networks
//! those are on, a NetworkPolicy cannot be told in general, and nobody tells a launcher with one
//! namespace's rights: but clusters are made of addresses that are not the world's.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{
    NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort,
};
use selvedge_manifest::egress::{address, network, pods, port};

/// The world, by IPv4.
const WORLD: &str = "0.0.0.0/0";

/// The world, by IPv6: neither unique local (RFC 4193), where clouds serve credentials too
/// (`fd00:ec2::254`), nor link-local addresses, nor such as hide an IPv4 address.
const WORLD_V6: &str = "2000::/3";

/// What is no part of the world (<https://www.iana.org/assignments/iana-ipv4-special-registry>), and
/// of what clusters are made.
const INSIDE: [&str; 11] = [
    "0.0.0.0/8",
    // RFC 1918: nodes, pods and Services of most.
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    // RFC 6598 and RFC 2544: pods of those that ran out of the above.
    "100.64.0.0/10",
    "198.18.0.0/15",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// Where clouds serve credentials and configuration to their machines; reached by nobody who was not
/// told to reach just that.
const METADATA: [&str; 8] = [
    // Link-local: Amazon's, Google's, Azure's and others' 169.254.169.254, Amazon's 169.254.170.2.
    "169.254.0.0/16",
    "fe80::/10",
    // Amazon's and Google's by IPv6, and Oracle's.
    "fd00:ec2::/32",
    "fd20:ce::/32",
    "fd00:c1::/32",
    // Alibaba's, Azure's, Oracle's.
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
];

/// Where clusters have their name servers: nearly all, and `OpenShift`, by namespace and label.
const NAME_SERVERS: [(&str, &str, &str); 2] = [
    ("kube-system", "k8s-app", "kube-dns"),
    ("openshift-dns", "dns.operator.openshift.io/daemonset-dns", "default"),
];

/// The ports of name servers: as they are asked, and as `OpenShift`'s pods listen.
const NAMES: [u16; 2] = [53, 5353];

/// What decides what a build may reach.
pub(super) struct Reach<'a> {
    /// Where the launcher serves builds.
    pub(super) launcher: SocketAddr,
    /// The namespace of the launcher's pod.
    pub(super) namespace: &'a str,
    /// The labels of the launcher's pod.
    pub(super) labels: &'a BTreeMap<String, String>,
    /// The addresses at which pods ask for names.
    pub(super) name_servers: &'a [IpAddr],
    /// The API server's addresses.
    pub(super) api_server: &'a [IpAddr],
    /// What is not reached though it is outside.
    pub(super) except: &'a [IpNet],
    /// What is reached though it is inside.
    pub(super) allow: &'a [IpNet],
}

impl Reach<'_> {
    /// The rules of the build's network policy.
    pub(super) fn rules(&self) -> Vec<NetworkPolicyEgressRule> {
        // Modules come by TCP alone; what is allowed may be a name server.
        let by_tcp = NetworkPolicyPort { port: None, ..port("TCP", 0) };
        let rule = |ports, to| NetworkPolicyEgressRule { ports, to: Some(to) };
        let more = [rule(Some(vec![by_tcp]), self.to_world()), rule(None, self.to_allowed())];
        // A rule to nobody would be one to everybody.
        let more =
            more.into_iter().filter(|rule| rule.to.as_ref().is_some_and(|to| !to.is_empty()));
        [self.to_launcher(), self.to_names()].into_iter().chain(more).collect()
    }

    /// By address and by label: an engine that knows pods by identity alone matches no pod by its
    /// address (Cilium), and another sees a pod on its node's network by its address alone.
    fn to_launcher(&self) -> NetworkPolicyEgressRule {
        let by_address = address(self.launcher.ip());
        let labelled = (!self.labels.is_empty()).then(|| pods(self.namespace, self.labels.clone()));
        NetworkPolicyEgressRule {
            ports: Some(vec![port("TCP", self.launcher.port())]),
            to: Some([by_address].into_iter().chain(labelled).collect()),
        }
    }

    /// The cluster's own name servers: whoever else may be asked at their port may be told
    /// anything. By label as well as by the address at which pods ask, which is a Service's in most
    /// clusters and a node's own in some: which of the two a policy sees is left to the engine.
    fn to_names(&self) -> NetworkPolicyEgressRule {
        let labelled = NAME_SERVERS.iter().map(|(namespace, label, value)| {
            pods(namespace, [((*label).to_owned(), (*value).to_owned())].into())
        });
        let addresses = self.name_servers.iter().copied().map(address);
        let ports = NAMES.iter().flat_map(|number| [port("UDP", *number), port("TCP", *number)]);
        NetworkPolicyEgressRule {
            ports: Some(ports.collect()),
            to: Some(labelled.chain(addresses).collect()),
        }
    }

    fn to_world(&self) -> Vec<NetworkPolicyPeer> {
        // Only where there is no other way out: pods may have addresses of the world by IPv6.
        let by_v6 = self.launcher.is_ipv6().then(|| parsed(WORLD_V6));
        let outside = [parsed(WORLD)].into_iter().chain(by_v6);
        let outside = outside.filter(|net| !self.except.iter().any(|part| part.contains(net)));
        let except = self.except.iter().copied();
        let inside: Vec<IpNet> = networks(&INSIDE).chain(self.never()).chain(except).collect();
        outside.map(|outside| but_for(outside, &inside)).collect()
    }

    fn to_allowed(&self) -> Vec<NetworkPolicyPeer> {
        let never: Vec<IpNet> = self.never().collect();
        self.allow.iter().map(|allowed| but_for(*allowed, &never)).collect()
    }

    /// What a wide network that is reached has no part in.
    fn never(&self) -> impl Iterator<Item = IpNet> {
        networks(&METADATA).chain(self.api_server.iter().copied().map(IpNet::from))
    }
}

/// Whether the address is one that no build reaches unless it is told to.
pub(super) fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => networks(&INSIDE).any(|network| network.contains(&address)),
        IpAddr::V6(_) => !parsed(WORLD_V6).contains(&address),
    }
}

/// A network but for parts of it. What is excepted must be less than the network, and in it
/// (`pkg/apis/networking/validation/validation.go`, `ValidateIPBlock`).
fn but_for(whole: IpNet, parts: &[IpNet]) -> NetworkPolicyPeer {
    let mut except: Vec<IpNet> = Vec::new();
    for part in parts.iter().filter(|part| whole.contains(*part) && **part != whole) {
        if !except.iter().any(|known| known.contains(part)) {
            except.push(*part);
        }
    }
    network(whole, &except)
}

fn networks(list: &'static [&str]) -> impl Iterator<Item = IpNet> {
    list.iter().copied().map(parsed)
}

/// A network written in this file.
fn parsed(text: &str) -> IpNet {
    text.parse().expect("networks in the source are good")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The networks that a build with these settings reaches, and what of them it does not.
    fn world(launcher: &str, except: &[&str], allow: &[&str]) -> Vec<(String, Vec<String>)> {
        let networks = |list: &[&str]| -> Vec<IpNet> {
            list.iter().map(|text| text.parse().unwrap()).collect()
        };
        let reach = Reach {
            launcher: launcher.parse().unwrap(),
            namespace: "org1",
            labels: &BTreeMap::new(),
            name_servers: &[],
            api_server: &[[10, 96, 0, 1].into(), [203, 0, 113, 9].into()],
            except: &networks(except),
            allow: &networks(allow),
        };
        let (world, allowed) = (reach.to_world(), reach.to_allowed());
        let blocks = world.into_iter().chain(allowed).filter_map(|peer| peer.ip_block);
        blocks.map(|block| (block.cidr, block.except.unwrap_or_default())).collect()
    }

    fn reaches(world: &[(String, Vec<String>)], address: &str) -> bool {
        let address: IpAddr = address.parse().unwrap();
        let has = |network: &String| network.parse::<IpNet>().unwrap().contains(&address);
        world.iter().any(|(whole, except)| has(whole) && !except.iter().any(has))
    }

    const BY_V4: &str = "10.1.2.3:7059";

    #[test]
    fn a_build_reaches_the_world_and_nothing_inside() {
        let world = world(BY_V4, &[], &[]);
        assert!(reaches(&world, "142.250.74.209"));
        for inside in [
            "10.244.1.7",
            "10.96.0.10",
            "172.18.0.2",
            "192.168.49.2",
            "100.64.3.4",
            "198.19.1.1",
            "240.10.0.5",
            // The API server, by an address of the world.
            "203.0.113.9",
            // What clouds serve credentials at.
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fe80::a9fe:a9fe",
            // No address by IPv6 at all.
            "2a00:1450:4001:82b::2011",
            "64:ff9b::a9fe:a9fe",
        ] {
            assert!(!reaches(&world, inside), "{inside} in {world:?}");
        }
    }

    #[test]
    fn in_a_cluster_by_ipv6_the_world_is_reached_by_it() {
        let world = world("[2001:db8::7]:7059", &["2001:db8::/32"], &[]);
        assert!(reaches(&world, "2a00:1450:4001:82b::2011"));
        for inside in ["fd00:ec2::254", "fd12::1", "fe80::1", "64:ff9b::a9fe:a9fe", "2001:db8::8"] {
            assert!(!reaches(&world, inside), "{inside} in {world:?}");
        }
    }

    #[test]
    fn what_is_allowed_is_reached_but_no_server_of_credentials() {
        let world = world(BY_V4, &[], &["10.0.0.0/8", "100.64.0.0/10", "fd00::/8"]);
        for inside in ["10.1.2.3", "100.64.3.4", "fd12::1"] {
            assert!(reaches(&world, inside), "{inside} in {world:?}");
        }
        for never in ["10.96.0.1", "100.100.100.200", "fd00:ec2::254", "172.18.0.2"] {
            assert!(!reaches(&world, never), "{never} in {world:?}");
        }
    }

    #[test]
    fn what_the_api_server_would_refuse_is_not_written() {
        let world = world(BY_V4, &["0.0.0.0/0", "10.1.0.0/16"], &["169.254.0.0/16", "10.1.0.0/16"]);
        let all: Vec<&str> = world.iter().map(|(whole, _)| whole.as_str()).collect();
        assert_eq!(all, ["169.254.0.0/16", "10.1.0.0/16"]);
        for (whole, except) in &world {
            assert!(!except.contains(whole), "{world:?}");
        }
    }

    #[test]
    fn whether_pods_have_addresses_of_the_world() {
        for (address, inside) in [
            ("10.244.1.7", true),
            ("100.96.1.1", true),
            ("203.0.113.9", false),
            ("fd00:10:244::7", true),
            ("2600:1f14::7", false),
        ] {
            assert_eq!(is_inside(address.parse().unwrap()), inside, "{address}");
        }
    }
}
