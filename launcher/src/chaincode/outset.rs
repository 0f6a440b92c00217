//! What a run begins with: what an earlier one has left, or all anew.

use selvedge_manifest::ReplicaCredentials;
use selvedge_proxy::Credential;
use tracing::{info, warn};

use super::order::ChaincodeRun;
use crate::backend::Beginning;
use crate::certificates::{CertificateError, RunAuthority};
use crate::error_chain::one_line;
use crate::estate::Bequest;

/// What a run begins with.
pub(super) struct Outset {
    pub(super) authority: RunAuthority,
    /// The port that the proxy is to listen at, if that is free; 0 for any.
    pub(super) port: u16,
    pub(super) first: SetOutset,
}

/// What a set of replicas begins with.
pub(super) struct SetOutset {
    pub(super) beginning: Beginning,
    pub(super) number: u64,
    pub(super) credentials: ReplicaCredentials,
    pub(super) credential: Credential,
    /// How many replicas there were before it.
    pub(super) before: usize,
}

impl Outset {
    /// That of the run, which may have been left something.
    pub(super) fn of(run: &mut ChaincodeRun) -> Result<Self, CertificateError> {
        let Some(left) = run.left.take() else { return Self::anew(run) };
        match Self::again(run, &left) {
            Ok(outset) => {
                info!(set = left.set, "goes on with what an earlier run has left");
                Ok(outset)
            }
            Err(error) => {
                warn!(reason = one_line(&error), "what an earlier run left cannot be used");
                Self::anew(run)
            }
        }
    }

    fn anew(run: &ChaincodeRun) -> Result<Self, CertificateError> {
        let authority = RunAuthority::new(&run.package_id)?;
        let (credentials, credential) = authority.replica(run.shim)?;
        let first = SetOutset {
            beginning: Beginning::First,
            number: 0,
            credentials,
            credential,
            before: 0,
        };
        Ok(Self { authority, port: 0, first })
    }

    fn again(run: &ChaincodeRun, left: &Bequest) -> Result<Self, CertificateError> {
        let authority = RunAuthority::again(&run.package_id, &left.authority, left.made)?;
        let (credentials, credential) = authority.replica_again(&left.replicas)?;
        let first = SetOutset {
            beginning: Beginning::TakenUp,
            number: left.set,
            credentials,
            credential,
            before: left.number,
        };
        Ok(Self { authority, port: left.port, first })
    }
}
