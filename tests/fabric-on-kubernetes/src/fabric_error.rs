//! Why a network did not come up in a cluster.

use cluster::{KubectlError, NamespaceError, Overdue};
use testbed::cache::CacheError;
use testbed::{CliError, NetworkError};
use thiserror::Error;

/// Why a network did not come up in a cluster.
#[derive(Debug, Error)]
pub enum FabricError {
    /// No namespace.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] CacheError),
    /// kubectl failed.
    #[error(transparent)]
    Kubectl(#[from] KubectlError),
    /// The API server refused.
    #[error("cannot make the Service through which {0} is reached")]
    Service(String, #[source] Box<kube::Error>),
    /// Something did not come.
    #[error(transparent)]
    Overdue(#[from] Overdue),
    /// The orderer did not come up.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A peer refused to join.
    #[error(transparent)]
    Cli(#[from] CliError),
}
