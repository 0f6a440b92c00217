//! `chaincode`: how one chaincode runs.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use k8s_openapi::api::core::v1::{
    Affinity, HostAlias, LocalObjectReference, ResourceRequirements, Toleration,
    TopologySpreadConstraint,
};
use k8s_openapi::api::networking::v1::NetworkPolicyEgressRule;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::allowance::Allowance;
use crate::execution::{Execution, Function, Mode, Scaling};
use crate::pod_overlay::PodTemplateOverlay;
use crate::source::{FileSource, Variable};
use crate::span::Span;

/// How a chaincode runs. A change reaches running chaincode: new replicas take the place of the old
/// ones, and no transaction fails of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Chaincode {
    /// Where its pods and all that belongs to them are. Default: what the launcher's environment
    /// says (`SELVEDGE_CHAINCODE_NAMESPACE`), or the namespace of its pod. The launcher needs its Role
    /// there, too. Only on Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "namespace"))]
    pub namespace: Option<String>,
    /// How many replicas there are; on the `local` backend, processes. Means nothing with
    /// `execution: function`.
    #[schemars(range(min = 1, max = 64))]
    pub replicas: u16,
    /// How the number of replicas follows what there is to do. Means nothing with `execution:
    /// function`.
    pub scaling: Scaling,
    /// When there are processes of it.
    pub execution: Mode,
    /// How processes come and go. Means something with `execution: function` alone.
    pub function: Function,
    /// Whether a transaction whose replica ends is run once more, on another one. The proxy answers
    /// it then as the peer has answered it the first time, so that the peer is asked nothing twice
    /// and the caller notices nothing. Set `false` for chaincode that does more than to read and
    /// write the ledger: whatever else it does may be done twice.
    pub replay: bool,
    /// Whether the pods run on the peer's node, which has the shortest way to the proxy. Only on
    /// Kubernetes.
    pub peer_node: PeerNode,
    /// Where else pods are drawn to, or kept from. Only on Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// The labels that a pod's node must have. Only on Kubernetes.
    pub node_selector: BTreeMap<String, String>,
    /// The taints that pods tolerate, besides those that the peer's pod does. Only on Kubernetes.
    pub tolerations: Vec<Toleration>,
    /// How pods are spread. Only on Kubernetes.
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// How important the pods are where room is short. Only on Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
    /// What runs the containers, such as `gvisor`. Only on Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_class_name: Option<String>,
    /// The service account whose name the pods bear. They get no token of it. Only on Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// The Secrets that images are pulled with, besides `registry.secret`. Only on Kubernetes.
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// What a pod is promised, and what it may use at most. Only on Kubernetes.
    pub resources: ResourceRequirements,
    /// The size of the directory `/tmp`, the only one that can be written to. Only on Kubernetes.
    pub tmp: Quantity,
    /// Environment variables by name. What the chaincode needs to find its peer is set already and
    /// cannot be changed.
    pub environment: BTreeMap<String, Variable>,
    /// Files by absolute path. Only on Kubernetes.
    pub files: BTreeMap<String, FileSource>,
    /// Names that a pod knows the addresses of. It can ask no name server. Only on Kubernetes.
    pub host_aliases: Vec<HostAlias>,
    /// Annotations of the pods. Only on Kubernetes.
    pub annotations: BTreeMap<String, String>,
    /// Labels of the pods. Only on Kubernetes.
    pub labels: BTreeMap<String, String>,
    /// What the pods reach besides their proxy: rules of their network policy. Only on Kubernetes.
    pub egress: Vec<NetworkPolicyEgressRule>,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// Laid over the pods' template last, as `kubectl patch` does (strategic merge), for what has no
    /// key here. What would lift their security is refused, unless `allow` names it. Only on
    /// Kubernetes.
    #[schemars(with = "PodTemplateOverlay")]
    pub pod_template: Map<String, Value>,
    /// What of the pods' security `podTemplate` may lift, each by its name. Only on Kubernetes.
    pub allow: BTreeSet<Allowance>,
}

/// How chaincode's pods are bound to the peer's node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PeerNode {
    /// They run there or nowhere.
    #[default]
    Required,
    /// They run there if they can.
    Preferred,
    /// They run anywhere.
    None,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Timeouts {
    /// A launch, from the peer's call to the chaincode's registration; an image that is gone is
    /// built again in that time, too. Keep it 10 s below the peer's `chaincode.startuptimeout`
    /// (300 s), which has to be told why a launch failed before it gives it up.
    pub start: Span,
    /// What transactions get to finish when their replica is replaced by one with other settings, or
    /// its pod is to go: deleted, evicted, or drained from its node.
    pub drain: Span,
    /// How long the chaincode that an earlier launcher left running, or whose peer is gone, may wait
    /// for its peer to start it anew before it is scaled to zero. Only on Kubernetes.
    pub adopt: Span,
    /// How long a stopped chaincode's objects are kept, and those of a peer that is gone. Only on
    /// Kubernetes.
    pub forget: Span,
}

impl Chaincode {
    /// When there are how many processes.
    pub fn execution(&self) -> Execution {
        match self.execution {
            Mode::Service => {
                let most = self.scaling.max_replicas.map_or(0, NonZeroU16::get);
                Execution::Service { replicas: self.replicas, most: most.max(self.replicas) }
            }
            Mode::Function => Execution::Function(self.function),
        }
    }

    /// How processes come and go, if they do.
    pub fn function(&self) -> Option<Function> {
        match self.execution() {
            Execution::Service { .. } => None,
            Execution::Function(function) => Some(function),
        }
    }
}

impl Default for Chaincode {
    fn default() -> Self {
        Self {
            namespace: None,
            replicas: 1,
            scaling: Scaling::default(),
            execution: Mode::default(),
            function: Function::default(),
            replay: true,
            peer_node: PeerNode::default(),
            affinity: None,
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            topology_spread_constraints: Vec::new(),
            priority_class_name: None,
            runtime_class_name: None,
            service_account_name: None,
            image_pull_secrets: Vec::new(),
            resources: resources(
                &[("cpu", "50m"), ("memory", "64Mi")],
                &[("memory", "512Mi"), ("ephemeral-storage", "256Mi")],
            ),
            tmp: Quantity("64Mi".into()),
            environment: BTreeMap::new(),
            files: BTreeMap::new(),
            host_aliases: Vec::new(),
            annotations: BTreeMap::new(),
            labels: BTreeMap::new(),
            egress: Vec::new(),
            timeouts: Timeouts::default(),
            pod_template: Map::new(),
            allow: BTreeSet::new(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            start: Span::seconds(240),
            drain: Span::seconds(30),
            adopt: Span::seconds(300),
            forget: Span::seconds(7 * 24 * 3600),
        }
    }
}

/// Requests and limits by resource.
pub(crate) fn resources(
    requests: &[(&str, &str)],
    limits: &[(&str, &str)],
) -> ResourceRequirements {
    let quantities = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        Some(pairs.map(|(name, text)| ((*name).into(), Quantity((*text).into()))).collect())
    };
    ResourceRequirements {
        requests: quantities(requests),
        limits: quantities(limits),
        ..ResourceRequirements::default()
    }
}
