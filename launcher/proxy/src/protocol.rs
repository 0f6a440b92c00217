//! What each side of the stream may say (Fabric's `core/chaincode/handler.go`).

use prost::Message;
use selvedge_proto::fabric::ChaincodeAdditionalParams;

use crate::frame::{Frame, Type};
use crate::violation::Violation;

/// What a message of a registered replica means for its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FromReplica {
    /// A request to the peer, which answers it.
    Request,
    /// The transaction's end.
    End,
    /// A sign of life.
    Keepalive,
}

/// What a message of the peer means, once the chaincode is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FromPeer {
    /// A transaction begins.
    Begin,
    /// A sign of life, which is to be answered.
    Keepalive,
    /// The answer to a request.
    Answer,
    /// Something for the replica that has the transaction.
    Other,
}

/// The requests that a peer takes only if its READY offers it (from v3.1 on).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Offer {
    write_batch: bool,
    get_multiple: bool,
}

impl Offer {
    /// What the peer's READY offers; one that cannot be read offers nothing, as to a shim.
    pub(crate) fn of(ready: &Frame) -> Self {
        let payload = ready.decode().map(|message| message.payload).unwrap_or_default();
        let offered = ChaincodeAdditionalParams::decode(&payload[..]).unwrap_or_default();
        Self { write_batch: offered.use_write_batch, get_multiple: offered.use_get_multiple_keys }
    }

    /// What the frame means; an error when a chaincode must not send it.
    ///
    /// The peer ends the whole stream on a message outside of this list
    /// (`handleMessageReadyState`).
    pub(crate) fn meaning(self, frame: &Frame) -> Result<FromReplica, Violation> {
        let Some(kind) = frame.kind() else {
            return Err(Violation::IllegalType(frame.kind_number().to_string()));
        };
        match kind {
            Type::Completed | Type::Error => Ok(FromReplica::End),
            Type::Keepalive => Ok(FromReplica::Keepalive),
            Type::GetState
            | Type::PutState
            | Type::DelState
            | Type::InvokeChaincode
            | Type::GetStateByRange
            | Type::GetQueryResult
            | Type::QueryStateNext
            | Type::QueryStateClose
            | Type::GetHistoryForKey
            | Type::GetStateMetadata
            | Type::PutStateMetadata
            | Type::GetPrivateDataHash
            | Type::PurgePrivateData => Ok(FromReplica::Request),
            Type::WriteBatchState if self.write_batch => Ok(FromReplica::Request),
            Type::GetStateMultiple if self.get_multiple => Ok(FromReplica::Request),
            Type::WriteBatchState | Type::GetStateMultiple => {
                Err(Violation::NotOffered(kind.as_str_name().to_owned()))
            }
            Type::Undefined
            | Type::Register
            | Type::Registered
            | Type::Init
            | Type::Ready
            | Type::Transaction
            | Type::Response => Err(Violation::IllegalType(kind.as_str_name().to_owned())),
        }
    }
}

/// What the frame means. A type that this version does not know reaches the replica that has the
/// transaction, whose shim may know it.
pub(crate) fn from_peer(frame: &Frame) -> FromPeer {
    match frame.kind() {
        Some(Type::Init | Type::Transaction) => FromPeer::Begin,
        Some(Type::Keepalive) => FromPeer::Keepalive,
        Some(Type::Response | Type::Error) => FromPeer::Answer,
        _ => FromPeer::Other,
    }
}
