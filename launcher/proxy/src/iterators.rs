//! What a transaction has open at the peer: the iterators of its queries.
//!
//! A peer closes those that are open when a transaction ends, and does it twice at the same time:
//! whoever takes the end (`core/chaincode/handler.go`, `Notify`, which has told the other before)
//! and whoever ran the simulation (`txmgmt/txmgr/query_executor.go`, `Done`). Of an iterator that
//! is closed by two at once the whole peer crashes (`goleveldb/leveldb/db_iter.go`, `Release`;
//! seen on v2.5.0 and v3.1.1). So all are closed before the peer is told of an end.

use std::collections::BTreeSet;

use prost::Message;
use selvedge_proto::fabric::chaincode_message::Type;

use crate::frame::Frame;

/// The IDs of open iterators.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Iterators(BTreeSet<String>);

/// What of `QueryResponse` (`peer/chaincode_shim.proto`) says whether an iterator is open; its
/// results are passed over.
#[derive(Clone, PartialEq, Message)]
struct QueryState {
    #[prost(bool, tag = "2")]
    has_more: bool,
    #[prost(string, tag = "3")]
    id: String,
}

/// Whether a request is one that the peer answers with the state of an iterator.
pub(crate) fn is_query(request: Option<Type>) -> bool {
    matches!(
        request,
        Some(
            Type::GetStateByRange
                | Type::GetQueryResult
                | Type::GetHistoryForKey
                | Type::QueryStateNext
                | Type::QueryStateClose
        )
    )
}

impl Iterators {
    /// Learns from the answer to a query. The peer closes an iterator itself with its last results,
    /// and with an error.
    pub(crate) fn learn(&mut self, answer: &Frame) {
        if answer.kind() != Some(Type::Response) {
            return;
        }
        let Ok(state) = QueryState::decode(answer.payload()) else { return };
        if state.has_more {
            self.0.insert(state.id);
        } else {
            self.0.remove(&state.id);
        }
    }

    /// One that is to be closed; it counts as closed from now on.
    pub(crate) fn take(&mut self) -> Option<String> {
        self.0.pop_first()
    }
}
