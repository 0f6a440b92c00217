//! What a network policy's rules are written with: addresses, networks, pods and ports.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The label of every namespace with its name
/// (<https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name>).
const NAMESPACE: &str = "kubernetes.io/metadata.name";

/// A port, and the protocol that is spoken there.
pub fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(number.into())),
        protocol: Some(protocol.to_owned()),
        ..NetworkPolicyPort::default()
    }
}

/// One address.
pub fn address(address: IpAddr) -> NetworkPolicyPeer {
    network(address.into(), &[])
}

/// A network, but for parts of it.
pub fn network(whole: IpNet, except: &[IpNet]) -> NetworkPolicyPeer {
    let except: Vec<String> = except.iter().map(ToString::to_string).collect();
    let except = Some(except).filter(|except| !except.is_empty());
    NetworkPolicyPeer {
        ip_block: Some(IPBlock { cidr: whole.to_string(), except }),
        ..NetworkPolicyPeer::default()
    }
}

/// The pods of a namespace that have the labels.
pub fn pods(namespace: &str, labels: BTreeMap<String, String>) -> NetworkPolicyPeer {
    let selector =
        |labels| LabelSelector { match_labels: Some(labels), ..LabelSelector::default() };
    NetworkPolicyPeer {
        namespace_selector: Some(selector([(NAMESPACE.to_owned(), namespace.to_owned())].into())),
        pod_selector: Some(selector(labels)),
        ..NetworkPolicyPeer::default()
    }
}
