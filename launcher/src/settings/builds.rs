//! What can be set of builds in a cluster.

use std::str::FromStr;

use clap::Args;
use ipnet::IpNet;

use super::quantity::quantity;
use super::registry::RegistrySettings;

/// How chaincode is built in a cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct BuildSettings {
    #[command(flatten)]
    pub(crate) registry: RegistrySettings,

    /// The image whose Go compiles chaincode, in a Job. The launcher asks its registry
    /// which image a tag is, over HTTPS (as --registry-plain-http says, where both
    /// registries are one) and with the credentials that --registry-secret has for
    /// it, if any. Name it by digest (…@sha256:…) where that registry cannot be
    /// asked, as when nodes bring the image along: a tag that moves to another
    /// compiler then goes unnoticed for a source that was built before.
    #[arg(
        long,
        env = "SELVEDGE_GO_IMAGE",
        default_value = "docker.io/library/golang:1.26-bookworm",
        value_name = "IMAGE"
    )]
    pub(crate) go_image: String,

    /// The launcher's own image, from which a build's pod gets the program that
    /// assembles images. Default: the image of the container `launcher` in this pod. It
    /// is pulled with the Secret of --registry-secret and, where chaincode runs in this
    /// pod's namespace, with the pull Secrets of this pod; a Secret is good in its own
    /// namespace alone.
    #[arg(long, env = "SELVEDGE_LAUNCHER_IMAGE", value_name = "IMAGE")]
    pub(crate) launcher_image: Option<String>,

    /// The port on which the pods of builds reach the launcher.
    #[arg(long, env = "SELVEDGE_BUILD_PORT", default_value = "7059", value_name = "PORT")]
    pub(crate) build_port: u16,

    /// The CPU that a build asks for; it may use more when there is more.
    #[arg(
        long,
        env = "SELVEDGE_BUILD_CPU",
        default_value = "1",
        value_parser = quantity,
        value_name = "QUANTITY"
    )]
    pub(crate) build_cpu: String,

    /// The CPU that a build gets at most, for namespaces whose quota wants a limit
    /// [default: none].
    #[arg(
        long,
        env = "SELVEDGE_BUILD_CPU_LIMIT",
        value_parser = quantity,
        value_name = "QUANTITY"
    )]
    pub(crate) build_cpu_limit: Option<String>,

    /// The memory that a build gets.
    #[arg(
        long,
        env = "SELVEDGE_BUILD_MEMORY",
        default_value = "2Gi",
        value_parser = quantity,
        value_name = "QUANTITY"
    )]
    pub(crate) build_memory: String,

    /// The disk that a build gets, for source, dependencies, caches and image.
    #[arg(
        long,
        env = "SELVEDGE_BUILD_DISK",
        default_value = "4Gi",
        value_parser = quantity,
        value_name = "QUANTITY"
    )]
    pub(crate) build_disk: String,

    /// A variable for the compiler: where it finds modules, proxies, certificates;
    /// repeatable, in the environment variable parted by spaces.
    #[arg(long, env = "SELVEDGE_BUILD_ENV", value_delimiter = ' ', value_name = "NAME=VALUE")]
    pub(crate) build_env: Vec<Variable>,

    /// A ConfigMap in the chaincodes' namespace, each of whose values is a PEM file
    /// of certificate authorities that builds trust besides those of the toolchain's
    /// image: for a company's TLS-terminating proxy.
    #[arg(long, env = "SELVEDGE_BUILD_CA_CONFIG_MAP", value_name = "NAME")]
    pub(crate) build_ca_config_map: Option<String>,

    /// A network inside that builds may reach all the same: of a module proxy, of a
    /// company's HTTP proxy, of name servers elsewhere than most clusters have them. By
    /// their network policy builds reach the launcher, the cluster's DNS and the world,
    /// but no private address, no link-local one, and IPv6 only in a cluster that has
    /// nothing else. What is allowed has no part in it where clouds serve credentials.
    #[arg(
        long,
        env = "SELVEDGE_BUILD_EGRESS_ALLOW",
        value_delimiter = ',',
        value_parser = network,
        value_name = "CIDR"
    )]
    pub(crate) build_egress_allow: Vec<IpNet>,

    /// A network outside that builds may not reach: of pods, if this cluster's have
    /// addresses of the world, or of the API server, if the launcher may not see its.
    #[arg(
        long,
        env = "SELVEDGE_BUILD_EGRESS_EXCEPT",
        value_delimiter = ',',
        value_parser = network,
        value_name = "CIDR"
    )]
    pub(crate) build_egress_except: Vec<IpNet>,
}

/// An environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Variable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
        let good = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.is_empty() || !good {
            return Err(format!("`{name}` is no variable's name"));
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// A network, as the API server writes it.
fn network(text: &str) -> Result<IpNet, String> {
    let network: Result<IpNet, _> = text.trim().parse();
    network
        .map(|network| network.trunc())
        .map_err(|_| "expected an address and a length, such as 10.0.0.0/8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_networks() {
        let variable: Variable = "GOPROXY=https://a.example.com,direct|off=".parse().unwrap();
        assert_eq!(variable.value, "https://a.example.com,direct|off=");
        for bad in ["GOPROXY", "=x", "A B=c"] {
            assert!(bad.parse::<Variable>().is_err(), "{bad}");
        }
        assert_eq!(network("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(network("fd00::/8").unwrap().to_string(), "fd00::/8");
        for bad in ["10.0.0.0", "10.0.0.0/33", "a/8", "10.0.0.0/"] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }
}
