//! What can be set of the registry.

use clap::Args;

use selvedge_registry::Repository;

/// Where images are kept, and how the registry is spoken to.
#[derive(Clone, Debug, Args)]
pub(crate) struct RegistrySettings {
    /// Where chaincodes' images are kept: the repository `chaincode` below this
    /// prefix. The nodes of the cluster must be able to pull from it.
    #[arg(long, env = "SELVEDGE_REGISTRY", value_name = "HOST[:PORT]/PREFIX")]
    pub(crate) registry: Option<Repository>,

    /// Speak plain HTTP with the registry.
    #[arg(long, env = "SELVEDGE_REGISTRY_PLAIN_HTTP")]
    pub(crate) registry_plain_http: bool,

    /// The Secret with the registry's credentials, of the type
    /// kubernetes.io/dockerconfigjson and in the chaincodes' namespace: the launcher
    /// pushes with it, the nodes pull with it.
    #[arg(long, env = "SELVEDGE_REGISTRY_SECRET", value_name = "NAME")]
    pub(crate) registry_secret: Option<String>,
}
