//! The builds that go on, and the last ones that have ended: how each is, and its lines.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use selvedge_proto::launcher::{BuildState, BuildStatus, ChaincodeSource, ImageReference};

use crate::caller::Caller;
use crate::epoch::seconds;
use crate::error_chain::bounded;
use crate::kept_lines::KeptLines;

/// How many are known that have ended.
const ENDED: usize = 50;

/// How many have ended in a way, and what these took together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) number: u64,
    pub(crate) time: Duration,
}

/// What there was of builds so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) done: Count,
    pub(crate) failed: Count,
    pub(crate) abandoned: Count,
    /// How many go on, or wait.
    pub(crate) underway: usize,
}

/// The builds of a launcher.
#[derive(Clone, Debug, Default)]
pub(crate) struct BuildRecords(Arc<Mutex<Records>>);

#[derive(Debug, Default)]
struct Records {
    begun: u64,
    builds: VecDeque<Record>,
    counts: Counts,
}

#[derive(Debug)]
struct Record {
    status: BuildStatus,
    key: BuildKeySlot,
    lines: Arc<KeptLines>,
}

/// Where the key of a build is said once it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct BuildKeySlot(Arc<OnceLock<String>>);

impl BuildKeySlot {
    /// This is the key.
    pub(crate) fn is(&self, key: &impl ToString) {
        // A build has one.
        let _ = self.0.set(key.to_string());
    }
}

/// A build that goes on; dropped before it has ended, nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct BuildRecord {
    records: BuildRecords,
    id: u64,
    begun: Instant,
    key: BuildKeySlot,
    lines: Arc<KeptLines>,
    nobody: Arc<str>,
    has_ended: bool,
}

impl BuildRecords {
    /// One is called for.
    pub(crate) fn begin(&self, source: &ChaincodeSource, caller: &Caller) -> BuildRecord {
        let (key, lines) = (BuildKeySlot::default(), Arc::new(KeptLines::default()));
        let mut records = self.records();
        records.begun += 1;
        records.counts.underway += 1;
        let id = records.begun;
        let status = BuildStatus {
            id,
            source: Some(source.clone()),
            state: BuildState::Waiting.into(),
            begun: seconds(SystemTime::now()),
            peer: caller.peer().to_owned(),
            ..BuildStatus::default()
        };
        let record = Record { status, key: key.clone(), lines: Arc::clone(&lines) };
        records.builds.push_front(record);
        drop(records);
        let (records, begun, nobody) = (self.clone(), Instant::now(), "".into());
        BuildRecord { records, id, begun, key, lines, nobody, has_ended: false }
    }

    /// How each is that this caller may know of, the newest first.
    pub(crate) fn all(&self, caller: &Caller) -> Vec<BuildStatus> {
        let records = self.records();
        let seen = records.builds.iter().filter(|record| caller.sees(&record.status.peer));
        seen.map(Record::now).collect()
    }

    /// The lines of one, if the caller may know of it.
    pub(crate) fn lines(&self, caller: &Caller, id: u64) -> Option<Arc<KeptLines>> {
        let records = self.records();
        let is_it = |record: &&Record| record.status.id == id && caller.sees(&record.status.peer);
        let record = records.builds.iter().find(is_it)?;
        Some(Arc::clone(&record.lines))
    }

    /// What there was so far.
    pub(crate) fn counts(&self) -> Counts {
        self.records().counts
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        // No code that could panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn now(&self) -> BuildStatus {
        let key = self.key.0.get().cloned().unwrap_or_default();
        BuildStatus { key, ..self.status.clone() }
    }
}

impl Records {
    fn change(&mut self, id: u64, change: impl FnOnce(&mut BuildStatus)) {
        if let Some(record) = self.builds.iter_mut().find(|record| record.status.id == id) {
            change(&mut record.status);
        }
    }

    /// Forgets the oldest of those that have ended, where there are too many.
    fn forget(&mut self) {
        let ended = |record: &&Record| record.status.ended != 0;
        let Some(last) = self.builds.iter().filter(ended).nth(ENDED) else { return };
        let id = last.status.id;
        self.builds.retain(|record| record.status.id != id);
    }
}

impl BuildRecord {
    /// Where its key is said.
    pub(crate) fn key(&self) -> &BuildKeySlot {
        &self.key
    }

    /// It waits no more.
    pub(crate) fn goes_on(&self) {
        self.records.records().change(self.id, |status| status.set_state(BuildState::Running));
    }

    /// It has a line.
    pub(crate) fn line(&self, line: &str) {
        self.lines.push(&self.nobody, line);
    }

    /// It has ended so: with its image, or for a reason.
    pub(crate) fn ended(mut self, outcome: Result<&ImageReference, &str>) {
        self.end(Some(outcome));
    }

    fn end(&mut self, outcome: Option<Result<&ImageReference, &str>>) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        if let Some(Err(reason)) = outcome {
            self.line(reason);
        }
        let time = self.begun.elapsed();
        let mut records = self.records.records();
        records.counts.underway -= 1;
        let count = match outcome {
            Some(Ok(_)) => &mut records.counts.done,
            Some(Err(_)) => &mut records.counts.failed,
            None => &mut records.counts.abandoned,
        };
        count.number += 1;
        count.time += time;
        records.change(self.id, |status| {
            status.ended = seconds(SystemTime::now()).max(1);
            match outcome {
                Some(Ok(image)) => {
                    status.set_state(BuildState::Done);
                    status.image = Some(image.clone());
                }
                Some(Err(reason)) => {
                    status.set_state(BuildState::Failed);
                    bounded(reason).clone_into(&mut status.reason);
                }
                None => status.set_state(BuildState::Abandoned),
            }
        });
        records.forget();
        drop(records);
        self.lines.end();
    }
}

impl Drop for BuildRecord {
    fn drop(&mut self) {
        self.end(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(label: &str) -> ChaincodeSource {
        ChaincodeSource { label: label.into(), ..ChaincodeSource::default() }
    }

    #[test]
    fn each_is_told_of_with_what_became_of_it() {
        let records = BuildRecords::default();
        let done = records.begin(&source("done"), &Caller::Beside);
        done.goes_on();
        done.key().is(&"0123");
        done.line("compiling");
        done.ended(Ok(&ImageReference { name: "image".into(), ..ImageReference::default() }));
        records.begin(&source("failed"), &Caller::Beside).ended(Err("it does not compile"));
        drop(records.begin(&source("abandoned"), &Caller::Beside));
        let waits = records.begin(&source("waits"), &Caller::Beside);
        let told: Vec<_> = records
            .all(&Caller::Beside)
            .into_iter()
            .map(|it| (it.source.clone().unwrap().label, it.state(), it.key, it.reason))
            .collect();
        let of = |label: &str, state, key: &str, reason: &str| {
            (label.to_owned(), state, key.to_owned(), reason.to_owned())
        };
        assert_eq!(
            told,
            [
                of("waits", BuildState::Waiting, "", ""),
                of("abandoned", BuildState::Abandoned, "", ""),
                of("failed", BuildState::Failed, "", "it does not compile"),
                of("done", BuildState::Done, "0123", ""),
            ]
        );
        let counts = records.counts();
        let numbers = [counts.done, counts.failed, counts.abandoned].map(|count| count.number);
        assert_eq!((numbers, counts.underway), ([1, 1, 1], 1));
        let texts = |id| {
            let batch =
                records.lines(&Caller::Beside, id).unwrap().read(None, None).next().unwrap();
            batch.lines.into_iter().map(|line| line.text).collect::<Vec<_>>()
        };
        assert_eq!(
            (texts(1), texts(2)),
            (vec!["compiling".into()], vec!["it does not compile".into()])
        );
        assert!(records.lines(&Caller::Beside, 5).is_none());
        drop(waits);
    }

    #[test]
    fn of_those_that_have_ended_the_oldest_are_forgotten() {
        let records = BuildRecords::default();
        let goes_on = records.begin(&source("goes on"), &Caller::Beside);
        for _ in 0..ENDED + 3 {
            drop(records.begin(&source("ended"), &Caller::Beside));
        }
        let ids: Vec<u64> =
            records.all(&Caller::Beside).into_iter().map(|build| build.id).collect();
        assert_eq!(ids.len(), ENDED + 1);
        assert_eq!((ids[0], ids[ENDED - 1], ids[ENDED]), (54, 5, 1));
        drop(goes_on);
    }

    #[test]
    fn each_peers_are_its_own() {
        let records = BuildRecords::default();
        let [one, other] = ["peer0", "peer1"].map(|name| Caller::Peer(name.parse().unwrap()));
        drop(records.begin(&source("its"), &one));
        drop(records.begin(&source("mine"), &Caller::Beside));
        let ids = |caller| records.all(caller).into_iter().map(|it| it.id).collect::<Vec<_>>();
        assert_eq!([&one, &other, &Caller::Beside].map(ids), [vec![1], vec![], vec![2, 1]]);
        let is_told = |caller: &Caller, id| records.lines(caller, id).is_some();
        assert!(is_told(&one, 1) && !is_told(&one, 2) && !is_told(&other, 1));
    }
}
