//! What each side of the stream may say (Fabric's `core/chaincode/handler.go`).

use crate::frame::{Frame, Type};

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
    /// Something for the replica that has the transaction.
    Answer,
}

/// What the frame means; `None` when a chaincode must not send it.
///
/// The peer ends the whole stream on a message outside of this list
/// (`handleMessageReadyState`).
pub(crate) fn from_replica(frame: &Frame) -> Option<FromReplica> {
    match frame.kind()? {
        Type::Completed | Type::Error => Some(FromReplica::End),
        Type::Keepalive => Some(FromReplica::Keepalive),
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
        | Type::PurgePrivateData
        | Type::WriteBatchState
        | Type::GetStateMultiple => Some(FromReplica::Request),
        Type::Undefined
        | Type::Register
        | Type::Registered
        | Type::Init
        | Type::Ready
        | Type::Transaction
        | Type::Response => None,
    }
}

/// What the frame means. A type that this version does not know is taken for an
/// answer: it reaches the replica that has the transaction, whose shim may know it.
pub(crate) fn from_peer(frame: &Frame) -> FromPeer {
    match frame.kind() {
        Some(Type::Init | Type::Transaction) => FromPeer::Begin,
        Some(Type::Keepalive) => FromPeer::Keepalive,
        _ => FromPeer::Answer,
    }
}
