//! What was typed of `selvedge render`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, ValueHint};
use selvedge_config::{NAMESPACE, is_namespace};

use super::config::ConfigFile;

/// Print every manifest that the launcher would apply for a package, without a cluster.
///
/// Service, Secret, EndpointSlice, NetworkPolicy, PodDisruptionBudget (where there are several
/// replicas) and Deployment, in the order in which they are applied; the same bytes each time. What only a cluster or a run decides has a placeholder that an
/// API server takes, and a comment above the manifests says which there are: the address of the
/// Service, the proxy's, the peer's node, the launcher's image, the digest of the chaincode's image,
/// certificates and keys. What owns the objects is left out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    selvedge render basic_1.0.tar.gz --config selvedge.yaml --msp Org1MSP --peer peer0-0\n  \
    selvedge render basic_1.0.tar.gz -c selvedge.yaml | kubectl apply --dry-run=server -f -\n  \
    kubectl get pod peer0-0 -o yaml | selvedge render basic_1.0.tar.gz -c selvedge.yaml --peer-pod -\n  \
    selvedge render basic_1.0.tar.gz -c selvedge.yaml --json | jq '.items[-1].spec.template'")]
pub(crate) struct Render {
    /// The package
    #[arg(value_name = "PACKAGE", value_hint = ValueHint::FilePath)]
    pub(crate) package: PathBuf,

    #[command(flatten)]
    pub(crate) config: ConfigFile,

    /// MSP ID of the peer's organisation
    #[arg(short, long, default_value = "MSP")]
    pub(crate) msp: String,

    /// Name of the peer, as the launcher knows it
    #[arg(short, long, value_name = "NAME", default_value = "peer")]
    pub(crate) peer: String,

    /// The peer's pod as the API gives it (YAML or JSON), of which namespace, node, address, labels,
    /// tolerations, pull Secrets and the launcher's image are taken; `-` is standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) peer_pod: Option<PathBuf>,

    /// Namespace of the peer's pod [default: that of --peer-pod, or `default`]
    #[arg(short, long, value_parser = namespace)]
    pub(crate) namespace: Option<String>,

    /// Node of the peer's pod
    #[arg(long)]
    pub(crate) node: Option<String>,

    /// The chaincode's image, by digest
    #[arg(long, value_name = "REF")]
    pub(crate) image: Option<String>,

    /// The launcher's image, where the operator's file does not name it
    #[arg(long, value_name = "REF")]
    pub(crate) launcher_image: Option<String>,

    /// Address of the chaincode's Service
    #[arg(long, value_name = "IP")]
    pub(crate) service_address: Option<IpAddr>,

    /// Where the chaincode's proxy listens
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) proxy: Option<SocketAddr>,

    /// Print a List in JSON instead of a stream in YAML
    #[arg(long)]
    pub(crate) json: bool,
}

fn namespace(text: &str) -> Result<String, String> {
    if is_namespace(text) { Ok(text.to_owned()) } else { Err(format!("expected {NAMESPACE}")) }
}
