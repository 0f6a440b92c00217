//! Why a chaincode did not become ready.

use std::fmt;
use std::time::Duration;

use selvedge_proxy::ProxyError;

use crate::backend::{ReplicaExit, StartError};
use crate::certificates::CertificateError;

/// Why a chaincode did not become ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("cannot listen for the chaincode's replicas")]
    Listen(#[source] std::io::Error),
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the chaincode ended before it registered: {0}")]
    Exited(ReplicaExit),
    #[error("the chaincode cannot run: {0}")]
    Trouble(String),
    #[error("the chaincode was cut off: {0}")]
    CutOff(String),
    #[error(
        "the chaincode did not register within {} s (chaincode.timeouts.start){preparation}; does it \
         call shim.Start?", .limit.as_secs_f32()
    )]
    NeverRegistered { limit: Duration, preparation: Preparation },
    #[error(
        "the chaincode was not started within {} s (chaincode.timeouts.start){preparation}: {reason}",
        .limit.as_secs_f32()
    )]
    NeverStarted { limit: Duration, preparation: Preparation, reason: String },
    #[error("no link to the peer: {0}")]
    Peer(String),
}

/// What of a launch's time had passed when the image was there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Preparation(pub(super) Duration);

impl fmt::Display for Preparation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 => Ok(()),
            seconds => write!(out, ", of which {seconds} s had passed before it was started"),
        }
    }
}
