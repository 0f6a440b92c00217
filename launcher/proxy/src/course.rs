//! Whether a transaction can be run again, and by what.

use std::fmt;
use std::mem;

use crate::frame::Frame;
use crate::journal::Journal;
use crate::replay::{Repeated, Replay};

/// A transaction's first run, its second one, or one that can have no other after it.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) enum Course {
    /// The first run, of which notes are taken.
    Noted(Journal),
    /// The second one, as far as it does what the first one did.
    Again(Replay),
    /// There will be no other run, for this reason.
    Once(Once),
}

/// Why a transaction is not run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Once {
    /// The operator has said so.
    Off,
    /// What it has asked for, or got, is more than is kept of one transaction.
    TooLong,
    /// What all transactions of the chaincode have asked for and got is more than is kept.
    NoRoom,
    /// A batch of writes has failed halfway.
    BatchFailed,
    /// The peer has told it something of which this version does not know what it means.
    Unknown,
    /// Too many were run again lately.
    Budget,
    /// Its replica broke the protocol, and nobody knows in which transaction.
    Breach,
    /// It was already, and has lost two replicas.
    AgainAlready,
    /// Nobody waits for it.
    Ended,
}

impl fmt::Display for Once {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Off => "chaincode is to be run once per call",
            Self::TooLong => "it has read or written too much to be run again",
            Self::NoRoom => "too much is kept of the chaincode's transactions to run it again",
            Self::BatchFailed => "a batch of writes had failed, so that it cannot be run again",
            Self::Unknown => "the peer sent what cannot be sent again",
            Self::Budget => "too many were run again lately",
            Self::Breach => "it might do so again",
            Self::AgainAlready => "and it was run again already",
            Self::Ended => "nobody waits for it",
        })
    }
}

impl Course {
    /// Why there can be no run after this one, if there cannot.
    pub(crate) fn obstacle(&self) -> Option<Once> {
        match self {
            Self::Noted(_) => None,
            Self::Again(_) => Some(Once::AgainAlready),
            Self::Once(reason) => Some(*reason),
        }
    }

    /// What is kept for another run, in bytes.
    pub(crate) fn journal(&self) -> usize {
        match self {
            Self::Noted(journal) => journal.bytes(),
            Self::Again(_) | Self::Once(_) => 0,
        }
    }

    /// Whether this is a second run that has not done yet all that the first one did.
    pub(crate) fn is_amidst(&self) -> bool {
        matches!(self, Self::Again(replay) if !replay.is_over())
    }

    /// The replica asks for something, while the peer is at nothing.
    pub(crate) fn ask(&mut self, request: Frame) -> Repeated {
        match self {
            Self::Noted(journal) => {
                if !journal.ask(&request) {
                    *self = Self::Once(Once::TooLong);
                }
            }
            Self::Again(replay) => return replay.ask(request),
            Self::Once(_) => {}
        }
        Repeated::Beyond(request)
    }

    /// The peer has answered.
    pub(crate) fn answer(&mut self, answer: &Frame) {
        if let Self::Noted(journal) = self
            && !journal.answer(answer)
        {
            *self = Self::Once(Once::BatchFailed);
        }
    }

    /// The second run begins; the peer's first message, unless there is to be none.
    pub(crate) fn run_again(&mut self) -> Option<Frame> {
        match mem::replace(self, Self::Once(Once::AgainAlready)) {
            Self::Noted(journal) => {
                let (first, replay) = journal.into_replay();
                *self = Self::Again(replay);
                Some(first)
            }
            other => {
                *self = other;
                None
            }
        }
    }
}
