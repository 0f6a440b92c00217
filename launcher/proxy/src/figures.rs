//! What a proxy has had to do so far, for whoever asks.
//!
//! Its thread alone writes, so that to count costs it a load and a store of what it has in its
//! processor's cache, and waits for nobody; who reads sees each figure whole, and two of them perhaps
//! a message apart.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::excerpt::excerpt;

/// How many bounds there are.
const NUMBER: usize = 15;

/// The bounds by which the time is told that transactions take: what a ledger's call takes, up to what
/// a peer waits for one.
pub const BOUNDS: [Duration; NUMBER] = [
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// How much is kept of the last error, in characters.
const TEXT: usize = 300;

/// The figures of one proxy, now and later.
#[derive(Clone, Debug, Default)]
pub struct Figures(Arc<Cells>);

#[derive(Debug, Default)]
struct Cells {
    in_flight: AtomicUsize,
    begun: AtomicU64,
    failed: AtomicU64,
    /// How many took no longer than each bound and longer than the one before; last, how many took
    /// longer than all of them.
    took: [AtomicU64; NUMBER + 1],
    /// What all of them took together, in nanoseconds.
    nanoseconds: AtomicU64,
    bytes_from_peer: AtomicU64,
    bytes_to_peer: AtomicU64,
    last_failure: Mutex<Option<Failure>>,
}

/// The figures at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// How many transactions there are: those that replicas have, and those that wait for one.
    pub in_flight: usize,
    /// How many the peer has begun.
    pub begun: u64,
    /// How many of those that have ended failed: by the chaincode's word (a status of 400 or more),
    /// by an ERROR of its or of the proxy, or since the peer waits no longer.
    pub failed: u64,
    /// How many took no longer than each of the [`BOUNDS`] and longer than the one before; last, how
    /// many took longer than all.
    pub took: [u64; NUMBER + 1],
    /// What those that have ended took together: from the peer's message to the end's being on its way
    /// to the peer.
    pub time: Duration,
    /// The length of all messages of the peer.
    pub bytes_from_peer: u64,
    /// The length of all messages to it.
    pub bytes_to_peer: u64,
    /// The last one that failed.
    pub last_failure: Option<Failure>,
}

/// How a transaction failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: SystemTime,
    /// What the client is told, 300 characters at most. The chaincode may have written it.
    pub text: String,
}

impl Figures {
    /// How many transactions there are just now: those that replicas have, and those that wait for one.
    pub fn in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::Relaxed)
    }

    /// All of them.
    pub fn now(&self) -> Snapshot {
        let cells = &*self.0;
        Snapshot {
            in_flight: self.in_flight(),
            begun: read(&cells.begun),
            failed: read(&cells.failed),
            took: std::array::from_fn(|place| read(&cells.took[place])),
            time: Duration::from_nanos(read(&cells.nanoseconds)),
            bytes_from_peer: read(&cells.bytes_from_peer),
            bytes_to_peer: read(&cells.bytes_to_peer),
            last_failure: self.last_failure().clone(),
        }
    }

    pub(crate) fn set_in_flight(&self, transactions: usize) {
        self.0.in_flight.store(transactions, Ordering::Relaxed);
    }

    /// The peer has begun a transaction.
    pub(crate) fn begun(&self) {
        add(&self.0.begun, 1);
    }

    /// One has ended after this time, or failed with what it is told.
    pub(crate) fn ended(&self, time: Duration, failure: Option<String>) {
        let place = BOUNDS.iter().position(|bound| time <= *bound).unwrap_or(NUMBER);
        add(&self.0.took[place], 1);
        add(&self.0.nanoseconds, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        if let Some(text) = failure {
            add(&self.0.failed, 1);
            let text = excerpt(text, TEXT);
            *self.last_failure() = Some(Failure { at: SystemTime::now(), text });
        }
    }

    /// A message of the peer has come.
    pub(crate) fn heard(&self, bytes: usize) {
        add(&self.0.bytes_from_peer, bytes as u64);
    }

    /// A message goes to the peer.
    pub(crate) fn said(&self, bytes: usize) {
        add(&self.0.bytes_to_peer, bytes as u64);
    }

    fn last_failure(&self) -> std::sync::MutexGuard<'_, Option<Failure>> {
        // No code that could panic runs under this lock.
        self.0.last_failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Snapshot {
    /// How many transactions have ended, in whatever way.
    pub fn ended(&self) -> u64 {
        self.took.iter().sum()
    }
}

fn read(cell: &AtomicU64) -> u64 {
    cell.load(Ordering::Relaxed)
}

/// Nobody else writes: no exchange that a processor would have to lock its bus for.
fn add(cell: &AtomicU64, number: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(number), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_is_counted_below_its_bound() {
        let figures = Figures::default();
        for micros in [1, 500, 501, 30_000_000, 30_000_001] {
            figures.ended(Duration::from_micros(micros), None);
        }
        let now = figures.now();
        assert_eq!(now.took[..2], [2, 1]);
        assert_eq!(now.took[NUMBER - 1..], [1, 1]);
        assert_eq!((now.ended(), now.failed, now.last_failure), (5, 0, None));
        assert_eq!(now.time, Duration::from_micros(60_001_003));
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn the_last_failure_is_kept_and_is_short() {
        let figures = Figures::default();
        figures.ended(Duration::ZERO, Some("no such asset".to_owned()));
        figures.ended(Duration::ZERO, Some("x".repeat(100_000)));
        figures.ended(Duration::ZERO, None);
        let now = figures.now();
        assert_eq!((now.ended(), now.failed), (3, 2));
        assert_eq!(now.last_failure.unwrap().text.chars().count(), TEXT + 1);
    }
}
