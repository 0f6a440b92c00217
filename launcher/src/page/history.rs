//! What each chaincode had to do in the last minutes: kept while there is a page to show it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use selvedge_proto::launcher::{ChaincodeStatus, Traffic};
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use crate::epoch::milliseconds;
use crate::running::Running;

/// How often it is noted.
const PERIOD: Duration = Duration::from_secs(2);

/// How many notes are kept: those of ten minutes.
const NOTES: usize = 300;

/// What a chaincode had to do so far, at one time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Note {
    /// In milliseconds since 1970.
    pub(super) at: i64,
    pub(super) begun: u64,
    pub(super) failed: u64,
    pub(super) in_flight: u32,
    /// By the bounds.
    pub(super) took: Vec<u64>,
}

/// The notes of one chaincode, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct History {
    /// In seconds.
    bounds: Vec<f64>,
    samples: VecDeque<Note>,
}

/// Which run: the package, and the peer that it is for: its name, of a launcher apart, and its address.
type Key = (String, String, String);

/// The notes of all that run.
#[derive(Clone, Default)]
pub(super) struct Histories(Arc<Mutex<HashMap<Key, History>>>);

impl Histories {
    /// Notes what there is, again and again.
    pub(super) async fn keep(self, running: Running) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.note(&running.standings(), SystemTime::now());
        }
    }

    fn note(&self, all: &[ChaincodeStatus], now: SystemTime) {
        let mut histories = self.histories();
        histories.retain(|key, _| all.iter().any(|status| self::key(status) == *key));
        for status in all {
            let Some(traffic) = &status.traffic else { continue };
            histories.entry(key(status)).or_default().note(status, traffic, now);
        }
    }

    /// Those of each of these, in their order.
    pub(super) fn of(&self, all: &[ChaincodeStatus]) -> Vec<History> {
        let histories = self.histories();
        all.iter().map(|status| histories.get(&key(status)).cloned().unwrap_or_default()).collect()
    }

    fn histories(&self) -> MutexGuard<'_, HashMap<Key, History>> {
        // No code that could panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History {
    fn note(&mut self, status: &ChaincodeStatus, traffic: &Traffic, now: SystemTime) {
        self.bounds.clone_from(&traffic.bounds);
        if self.samples.len() == NOTES {
            self.samples.pop_front();
        }
        self.samples.push_back(Note {
            at: milliseconds(now),
            begun: traffic.begun,
            failed: traffic.failed,
            in_flight: status.transactions_in_flight,
            took: traffic.took.clone(),
        });
    }
}

fn key(status: &ChaincodeStatus) -> Key {
    (status.package_id.clone(), status.peer.clone(), status.peer_address.clone())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn status(package: &str, begun: u64) -> ChaincodeStatus {
        ChaincodeStatus {
            package_id: package.into(),
            traffic: Some(Traffic { begun, ..Traffic::default() }),
            ..ChaincodeStatus::default()
        }
    }

    #[test]
    fn the_last_notes_are_kept_of_those_that_run() {
        let histories = Histories::default();
        for second in 0..NOTES as u64 + 5 {
            let all = [status("a", second), status("b", 0)];
            histories.note(&all, UNIX_EPOCH + Duration::from_secs(second));
        }
        let of = |package: &str| histories.of(&[status(package, 0)]).remove(0).samples;
        assert_eq!(of("a").len(), NOTES);
        assert_eq!((of("a")[0].begun, of("a")[0].at), (5, 5_000));
        histories.note(&[status("a", 0)], UNIX_EPOCH);
        assert!(of("b").is_empty());
        // One that was not started has none.
        histories.note(&[ChaincodeStatus::default()], UNIX_EPOCH);
        assert!(of("").is_empty());
    }
}
