//! Why a cluster did not come up.

use kube::config::KubeconfigError;
use testbed::cache::CacheError;
use testbed::process::ServerError;
use testbed::scratch::ScratchError;
use thiserror::Error;

use crate::ground::GroundError;
use crate::kubectl::KubectlError;
use crate::wait::Overdue;

/// Why a cluster did not come up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// No directory for it.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// No namespaces.
    #[error(transparent)]
    Ground(#[from] GroundError),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] CacheError),
    /// A certificate could not be made.
    #[error("cannot make the cluster's certificates")]
    Certificate(#[from] rcgen::Error),
    /// A server did not start, or ended.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// kubectl failed.
    #[error(transparent)]
    Kubectl(#[from] KubectlError),
    /// The kubeconfig is not one.
    #[error("cannot use the cluster's kubeconfig")]
    Kubeconfig(#[from] KubeconfigError),
    /// No client for the API server.
    #[error("cannot make a client for the cluster's API server")]
    Client(#[from] kube::Error),
    /// Something is not ready in time.
    #[error("the cluster did not come up; in kube-system:\n{report}")]
    Overdue {
        /// What is there instead, in the namespace `kube-system`.
        report: String,
        /// What is not.
        source: Overdue,
    },
}
