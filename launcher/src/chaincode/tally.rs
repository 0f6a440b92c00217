//! How many replicas began and ended, and what became of their transactions.

use selvedge_proto::launcher::ChaincodeStatus;
use selvedge_proxy::Fates;

/// How many there were so far, of one run of a chaincode.
#[derive(Debug, Default)]
pub(super) struct Tally {
    run_again: u64,
    answered: u64,
    differed: u64,
    started: u64,
    ended: u64,
}

impl Tally {
    /// A replica has registered.
    pub(super) fn started(&mut self) {
        self.started += 1;
    }

    /// A replica has ended that was not to.
    pub(super) fn ended(&mut self) {
        self.ended += 1;
    }

    /// A replica's connection has ended.
    pub(super) fn add(&mut self, fates: Fates) {
        // No transaction more than a peer has in flight.
        self.run_again += u64::try_from(fates.run_again).unwrap_or(u64::MAX);
        self.answered += u64::try_from(fates.answered).unwrap_or(u64::MAX);
    }

    /// So many did something else when they were run again.
    pub(super) fn differed(&mut self, number: u64) {
        self.differed = number;
    }

    pub(super) fn tell(&self, status: &mut ChaincodeStatus) {
        status.transactions_run_again = self.run_again;
        status.transactions_answered = self.answered;
        status.transactions_differed = self.differed;
        status.replicas_started = self.started;
        status.replicas_ended = self.ended;
    }
}
