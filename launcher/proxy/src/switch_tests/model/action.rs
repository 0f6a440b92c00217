//! What can happen.

use super::scenario::Tx;
use crate::frame::Type;
use crate::replica::ReplicaId;

/// Something that happens, with all that follows from it at once: who is told something hears it
/// before anything else happens. What is on its way can be told apart from what was not said yet
/// by nobody but who is told it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// The peer begins a transaction, or begins it anew.
    Begin(Tx),
    /// The peer answers a request.
    Answer(Tx),
    /// The same with an error.
    Fail(Tx),
    /// The peer's execute timeout has passed.
    GiveUp(Tx),
    /// A replica's thread says what comes next.
    Speak(ReplicaId, Tx),
    /// Another one says this of a transaction.
    Stray(ReplicaId, Tx, Type),
    /// A replica says what it must not, of this transaction.
    Breach(ReplicaId, Tx),
    /// A replica breaks the protocol, and nobody knows in which transaction.
    Hang(ReplicaId),
    Die(ReplicaId),
    /// A replica answers no ping for a while, or does again.
    Silence(ReplicaId, bool),
    /// Another replica comes.
    Arrive,
    /// One that is called for does not come, which is known.
    NoShow,
    /// Replicas like this one are to go.
    Retire(ReplicaId),
    /// The pod of replicas like this one is to go.
    Release(ReplicaId),
    /// The chaincode is to be stopped.
    Close,
    /// The time for that is over.
    Interrupt,
    /// Nothing else happens until the next moment at which something is due.
    Wait,
}
