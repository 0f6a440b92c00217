//! Who a chaincode's pods may talk to, and how the proxy's stable address leads to it.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference};

use super::{Blueprint, PORT_NAME, PROXY_PORT};
use crate::egress::{address, pods, port};
use crate::identity::MANAGER;

impl Blueprint<'_> {
    /// Where the stable address leads: the launcher's pod, wherever it is now.
    pub fn endpoint_slice(&self, owner: &OwnerReference) -> EndpointSlice {
        let mut metadata = self.metadata(Some(owner));
        let labels = metadata.labels.get_or_insert_default();
        labels.insert("kubernetes.io/service-name".into(), self.identity.name.clone());
        // Tells Kubernetes' own controllers that this slice is not theirs.
        labels.insert("endpointslice.kubernetes.io/managed-by".into(), MANAGER.into());
        EndpointSlice {
            address_type: if self.proxy.is_ipv4() { "IPv4" } else { "IPv6" }.into(),
            endpoints: vec![Endpoint {
                addresses: vec![self.proxy.ip().to_string()],
                conditions: Some(EndpointConditions {
                    ready: Some(true),
                    ..EndpointConditions::default()
                }),
                node_name: Some(self.peer.node.clone()),
                ..Endpoint::default()
            }],
            metadata,
            ports: Some(vec![EndpointPort {
                name: Some(PORT_NAME.into()),
                port: Some(self.proxy.port().into()),
                protocol: Some("TCP".into()),
                ..EndpointPort::default()
            }]),
        }
    }

    /// The pods reach their proxy and what the operator lets them, and not even a server of names, which
    /// would pass on whatever is put into a name: they know the one that they need. Nothing reaches
    /// them but the launcher's pod, for what it dials.
    pub fn network_policy(&self, owner: &OwnerReference, service: &Service) -> NetworkPolicy {
        NetworkPolicy {
            metadata: self.metadata(Some(owner)),
            spec: Some(NetworkPolicySpec {
                pod_selector: Some(LabelSelector {
                    match_labels: Some(self.identity.selector()),
                    ..LabelSelector::default()
                }),
                policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
                ingress: self.ingress(),
                egress: Some(
                    [self.to_proxy()]
                        .into_iter()
                        .chain(to_service(service))
                        .chain(self.settings.egress.clone())
                        .collect(),
                ),
            }),
        }
    }

    /// The proxy itself, by address and by label: an engine that knows pods by
    /// identity alone matches no pod by its address (Cilium), and another sees a
    /// pod on its node's network by its address alone.
    fn to_proxy(&self) -> NetworkPolicyEgressRule {
        NetworkPolicyEgressRule {
            to: Some(self.proxy_pod()),
            ports: Some(vec![port("TCP", self.proxy.port())]),
        }
    }

    /// What the launcher's pod dials: chaincode that listens, and keepers that take orders.
    fn ingress(&self) -> Option<Vec<NetworkPolicyIngressRule>> {
        let ports = self.plan.port.into_iter().chain(self.keeper_port());
        let rules: Vec<_> = ports.map(|port| self.of_proxy(port)).collect();
        (!rules.is_empty()).then_some(rules)
    }

    /// The proxy dials from the pod that it is in.
    fn of_proxy(&self, server: u16) -> NetworkPolicyIngressRule {
        NetworkPolicyIngressRule {
            from: Some(self.proxy_pod()),
            ports: Some(vec![port("TCP", server)]),
        }
    }

    fn proxy_pod(&self) -> Vec<NetworkPolicyPeer> {
        let labelled = (!self.peer.labels.is_empty())
            .then(|| pods(&self.peer.namespace, self.peer.labels.clone()));
        [Some(address(self.proxy.ip())), labelled].into_iter().flatten().collect()
    }
}

/// The stable address: whether a policy sees it before or after its translation is
/// left to the engine (<https://kubernetes.io/docs/concepts/services-networking/network-policies/>).
fn to_service(service: &Service) -> Option<NetworkPolicyEgressRule> {
    let addresses = service.spec.as_ref()?.cluster_ips.as_ref()?;
    let to: Vec<_> = addresses.iter().filter_map(|text| text.parse().ok()).map(address).collect();
    // A rule to nobody would be one to everybody.
    (!to.is_empty()).then(|| NetworkPolicyEgressRule {
        to: Some(to),
        ports: Some(vec![port("TCP", PROXY_PORT)]),
    })
}
