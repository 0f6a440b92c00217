//! What can be set of the `kubernetes` backend.

use clap::{Args, ValueEnum};

use super::builds::BuildSettings;
use super::quantity::{Resources, quantity};
use super::seconds::Seconds;

/// Settings of the `kubernetes` backend.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Kubernetes")]
pub(crate) struct KubernetesSettings {
    /// The launcher's own pod (downward API: metadata.name).
    #[arg(long, env = "SELVEDGE_POD_NAME", value_name = "NAME")]
    pub(crate) pod_name: Option<String>,

    /// The namespace of the launcher's own pod (downward API: metadata.namespace).
    #[arg(long, env = "SELVEDGE_POD_NAMESPACE", value_name = "NAMESPACE")]
    pub(crate) pod_namespace: Option<String>,

    /// The peer's name within its namespace, by which its chaincode is known across
    /// restarts [default: the name of the pod's Deployment, or the pod's own, which a
    /// StatefulSet keeps].
    #[arg(long, env = "SELVEDGE_PEER_NAME", value_name = "NAME")]
    pub(crate) peer_name: Option<String>,

    /// Where chaincode runs [default: the pod's namespace].
    #[arg(long, env = "SELVEDGE_NAMESPACE", value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,

    /// Whether chaincode's pods run on the peer's node.
    #[arg(long, env = "SELVEDGE_AFFINITY", default_value = "required", value_enum)]
    pub(crate) affinity: Affinity,

    /// What a chaincode's pod is promised.
    #[arg(
        long,
        env = "SELVEDGE_CHAINCODE_REQUESTS",
        default_value = "cpu=50m,memory=64Mi",
        value_name = "RESOURCE=QUANTITY,..."
    )]
    pub(crate) chaincode_requests: Resources,

    /// What a chaincode's pod may use at most.
    #[arg(
        long,
        env = "SELVEDGE_CHAINCODE_LIMITS",
        default_value = "memory=512Mi,ephemeral-storage=256Mi",
        value_name = "RESOURCE=QUANTITY,..."
    )]
    pub(crate) chaincode_limits: Resources,

    /// The size of a chaincode's /tmp.
    #[arg(
        long,
        env = "SELVEDGE_CHAINCODE_TMP",
        default_value = "64Mi",
        value_parser = quantity,
        value_name = "QUANTITY"
    )]
    pub(crate) chaincode_tmp: String,

    /// How long the chaincode that an earlier launcher left running may wait for
    /// its peer to start it anew before it is scaled to zero, in seconds.
    #[arg(long, env = "SELVEDGE_ADOPT_WITHIN", default_value = "300", value_name = "SECONDS")]
    pub(crate) adopt_within: Seconds,

    /// How long a stopped chaincode's objects are kept, and those of a peer that is
    /// gone, in seconds.
    #[arg(long, env = "SELVEDGE_FORGET_AFTER", default_value = "604800", value_name = "SECONDS")]
    pub(crate) forget_after: Seconds,

    #[command(flatten)]
    pub(crate) builds: BuildSettings,
}

/// How chaincode's pods are bound to the peer's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Affinity {
    /// They run there or nowhere.
    Required,
    /// They run there if they can.
    Preferred,
    /// They run anywhere.
    None,
}
