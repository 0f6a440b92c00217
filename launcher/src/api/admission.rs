//! Who may call: by the way that a call came, and by what the operator's file says.

use selvedge_config::Operator;
use tonic::{Extensions, Status};

use crate::caller::{Caller, PeerName};

/// By which way calls come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the socket, which lets in its owner and its group.
    Beside,
    /// Through the door, which lets in who has a certificate.
    Apart,
}

impl Way {
    /// Who calls, by what its connection has left with the call.
    pub(super) fn admit(
        self,
        extensions: &Extensions,
        operator: &Operator,
    ) -> Result<Caller, Status> {
        if self == Self::Beside {
            return Ok(Caller::Beside);
        }
        let peer: &PeerName = extensions
            .get()
            .ok_or_else(|| Status::unauthenticated("the launcher cannot tell which peer calls"))?;
        if operator.apart().is_some_and(|apart| apart.peers.iter().any(|it| it == peer.as_str())) {
            return Ok(Caller::Peer(peer.clone()));
        }
        Err(Status::permission_denied(format!(
            "the launcher is not for {peer}, as this peer's certificate has it: add it to apart.peers in \
             the launcher's file, or have the peer shown the way to another launcher"
        )))
    }
}

/// Whether what a peer calls for is of the launcher's organisation.
pub(super) fn is_of_the_organisation(
    caller: &Caller,
    msp_id: &str,
    operator: &Operator,
) -> Result<(), Status> {
    match (caller, operator.apart()) {
        (Caller::Peer(peer), Some(apart)) if apart.msp_id != msp_id => {
            Err(Status::permission_denied(format!(
                "the launcher is for peers of {} (apart.mspId), and {peer} has chaincode run for \
                 {msp_id:?}",
                apart.msp_id
            )))
        }
        _ => Ok(()),
    }
}
