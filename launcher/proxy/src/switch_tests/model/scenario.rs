//! What there is, and what may happen.

use crate::frame::{Frame, Type};
use crate::limits::Limits;
use crate::on_demand::OnDemand;
use crate::replica::ReplicaId;

/// One of the two transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Tx {
    A,
    B,
}

impl Tx {
    pub(super) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(super) fn txid(self) -> &'static str {
        ["a", "b"][self as usize]
    }

    /// That of a message, if it is one's.
    pub(super) fn of(frame: &Frame) -> Option<Self> {
        let txid = frame.transaction().txid();
        Self::BOTH.into_iter().find(|tx| tx.txid() == txid)
    }
}

/// What there is and may happen.
pub(super) struct Scenario {
    pub(super) limits: Limits,
    /// What the chaincode asks in each transaction; every second replica may have another version.
    pub(super) code: [[&'static [Type]; 2]; 2],
    /// How many replicas have to die for a transaction to fail of that alone.
    pub(super) losses: u8,
    /// Whether there are replicas while they are called for, and how: then there is none at first.
    pub(super) on_demand: Option<OnDemand>,
    pub(super) left: Left,
}

impl Scenario {
    pub(super) fn script(&self, tx: Tx, id: ReplicaId) -> &'static [Type] {
        self.scripts(tx)[usize::try_from(id % 2).unwrap()]
    }

    pub(super) fn scripts(&self, tx: Tx) -> [&'static [Type]; 2] {
        self.code.map(|version| version[tx as usize])
    }

    /// Whether a transaction that is run again does the same.
    pub(super) fn is_deterministic(&self) -> bool {
        self.code[0] == self.code[1] && self.left.strays == 0
    }
}

/// How often each of these may still happen.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(super) struct Left {
    pub(super) begins: u8,
    pub(super) failures: u8,
    pub(super) give_ups: u8,
    pub(super) strays: u8,
    pub(super) breaches: u8,
    pub(super) hangs: u8,
    pub(super) deaths: u8,
    pub(super) silences: u8,
    pub(super) arrivals: u8,
    pub(super) retirements: u8,
    pub(super) releases: u8,
    pub(super) closures: u8,
    /// How often one that is called for does not come.
    pub(super) no_shows: u8,
}
