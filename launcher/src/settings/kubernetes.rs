//! What can be set of the `kubernetes` backend.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::Seconds;
use super::builds::BuildSettings;

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

    /// The peer's name, by which its chaincode is known across restarts [default: the pod's name].
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

    /// How long a stopped chaincode's objects are kept, in seconds.
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

/// Quantities by resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resources(pub(crate) BTreeMap<String, String>);

impl FromStr for Resources {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (resource, amount) =
                    pair.split_once('=').ok_or("expected RESOURCE=QUANTITY")?;
                Ok((resource.trim().to_owned(), quantity(amount.trim())?))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// A quantity as Kubernetes writes it: a number and an optional suffix
/// (`k8s.io/apimachinery/pkg/api/resource/quantity.go`).
pub(crate) fn quantity(text: &str) -> Result<String, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &text[digits.len()..];
    let known = ["", "m", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi"].contains(&suffix);
    if known && digits.parse::<f64>().is_ok_and(|number| number >= 0.0) {
        Ok(text.into())
    } else {
        Err(format!("{text:?} is not a quantity such as 50m or 64Mi"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_resources() {
        let resources: Resources = "cpu=50m, memory=64Mi".parse().unwrap();
        assert_eq!(resources.0["cpu"], "50m");
        assert_eq!(resources.0["memory"], "64Mi");
        assert_eq!("".parse::<Resources>().unwrap(), Resources::default());
        for wrong in ["cpu", "cpu=", "cpu=fast", "memory=64MiB", "cpu=-1"] {
            assert!(wrong.parse::<Resources>().is_err(), "{wrong}");
        }
    }
}
