//! Which chaincodes run: at most one run of a package for a peer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use selvedge_proto::launcher::ChaincodeStatus;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::standing::Standing;
use crate::stop::Stop;

/// What one run is known by: the peer that called for it, if it is one that the launcher is apart from;
/// the package; and where the peer listens for it. So no peer ends what another one has.
type RunKey = (String, String, String);

/// The runs of this launcher.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<Runs>>);

#[derive(Default)]
struct Runs {
    closed: bool,
    begun: u64,
    places: HashMap<RunKey, Place>,
}

/// The place of one key: who has it, and who is to have it.
#[derive(Default)]
struct Place {
    holder: Option<Entry>,
    newest: Option<Entry>,
}

#[derive(Clone)]
struct Entry {
    number: u64,
    standing: Standing,
    stop: Stop,
    done: CancellationToken,
}

/// A run's place, or its wait for it; frees it when dropped.
pub(crate) struct RunSlot {
    running: Running,
    key: RunKey,
    entry: Entry,
}

/// Why a run does not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPlace {
    #[error("the launcher is stopping")]
    Closed,
    #[error("a newer launch of the chaincode took the place of this one, which had not begun")]
    Superseded,
}

impl Running {
    /// Takes the place of a run, after an earlier run of the same key has ended.
    ///
    /// A peer starts a chaincode anew beside a `run` that did not end
    /// (`core/chaincode/runtime_launcher.go`), but has one handler for it: all
    /// earlier ones are asked to stop, and one that still waits does not begin.
    pub(crate) async fn begin(&self, standing: Standing) -> Result<RunSlot, NoPlace> {
        let ChaincodeStatus { peer, package_id, peer_address, .. } = standing.now();
        let key = (peer, package_id, peer_address);
        let entry = self.lock().announce(&key, standing)?;
        let slot = RunSlot { running: self.clone(), key, entry };
        loop {
            let holder = self.lock().take(&slot.key, &slot.entry)?;
            let Some(holder) = holder else {
                slot.entry.standing.is(|status| status.reasons.clear());
                return Ok(slot);
            };
            slot.entry.standing.waits("it waits for the end of an earlier run");
            tokio::select! {
                () = slot.entry.stop.told() => {}
                () = holder.done.cancelled() => {}
            }
        }
    }

    /// Where every run stands, and every one that waits for its place: by package, MSP and peer, the
    /// older one first.
    pub(crate) fn standings(&self) -> Vec<ChaincodeStatus> {
        let mut entries: Vec<Entry> =
            self.lock().places.values().flat_map(Place::entries).collect();
        entries.sort_by_key(|entry| entry.number);
        let mut all: Vec<_> = entries.into_iter().map(|entry| entry.standing.now()).collect();
        all.sort_by(|one, other| {
            let key = |it: &ChaincodeStatus| {
                let peer = (it.peer.clone(), it.peer_address.clone());
                (it.package_id.clone(), it.msp_id.clone(), peer)
            };
            key(one).cmp(&key(other))
        });
        all
    }

    /// Takes no more runs and stops those there are; returns when they have
    /// ended, or after `limit`.
    pub(crate) async fn stop_all(&self, limit: Duration) {
        let entries: Vec<Entry> = {
            let mut runs = self.lock();
            runs.closed = true;
            runs.places.values().flat_map(Place::entries).collect()
        };
        for entry in &entries {
            entry.stop.end();
        }
        let all = async {
            for entry in &entries {
                entry.done.cancelled().await;
            }
        };
        if timeout(limit, all).await.is_err() {
            tracing::error!("a chaincode did not end in time");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Runs> {
        // No code that could panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Who has it and who waits for it, each once.
    fn entries(&self) -> Vec<Entry> {
        let holder = self.holder.iter();
        let waiting = self.newest.iter().filter(|newest| {
            self.holder.as_ref().is_none_or(|holder| holder.number != newest.number)
        });
        holder.chain(waiting).cloned().collect()
    }
}

impl Runs {
    /// Makes a run the newest one of its key, and stops the one that was.
    fn announce(&mut self, key: &RunKey, standing: Standing) -> Result<Entry, NoPlace> {
        if self.closed {
            return Err(NoPlace::Closed);
        }
        self.begun += 1;
        let (stop, done) = (Stop::default(), CancellationToken::new());
        let entry = Entry { number: self.begun, standing, stop, done };
        let place = self.places.entry(key.clone()).or_default();
        // The others were stopped when this one was announced.
        if let Some(earlier) = place.newest.replace(entry.clone()) {
            earlier.stop.end();
        }
        Ok(entry)
    }

    /// Gives a run its place, or says who has it.
    fn take(&mut self, key: &RunKey, entry: &Entry) -> Result<Option<Entry>, NoPlace> {
        if self.closed {
            return Err(NoPlace::Closed);
        }
        if entry.stop.is_told() {
            return Err(NoPlace::Superseded);
        }
        let place = self.places.entry(key.clone()).or_default();
        if place.holder.is_none() {
            place.holder = Some(entry.clone());
            return Ok(None);
        }
        Ok(place.holder.clone())
    }

    fn release(&mut self, key: &RunKey, number: u64) {
        let Some(place) = self.places.get_mut(key) else { return };
        place.holder.take_if(|holder| holder.number == number);
        place.newest.take_if(|newest| newest.number == number);
        if place.holder.is_none() && place.newest.is_none() {
            self.places.remove(key);
        }
    }
}

impl RunSlot {
    /// Fires when the run is to end.
    pub(crate) fn stop(&self) -> &Stop {
        &self.entry.stop
    }
}

impl Drop for RunSlot {
    fn drop(&mut self) {
        self.running.lock().release(&self.key, self.entry.number);
        self.entry.done.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::task::Poll;

    use selvedge_proto::launcher::{RunStart, RunState};

    use super::*;
    use crate::caller::Caller;

    fn of(package: &str) -> Standing {
        called_by(&Caller::Beside, package)
    }

    fn called_by(caller: &Caller, package: &str) -> Standing {
        Standing::new(
            &RunStart {
                package_id: package.into(),
                peer_address: "peer:7052".into(),
                ..RunStart::default()
            },
            caller,
        )
    }

    /// Polls a beginning once.
    async fn waits<T>(begins: &mut Pin<Box<impl Future<Output = T>>>) -> bool {
        poll_fn(|cx| Poll::Ready(begins.as_mut().poll(cx).is_pending())).await
    }

    #[tokio::test]
    async fn a_new_run_takes_over_from_the_old_one() {
        let running = Running::default();
        let first = running.begin(of("a")).await.unwrap();
        let _other = running.begin(of("b")).await.unwrap();
        let second = tokio::spawn({
            let running = running.clone();
            async move { running.begin(of("a")).await.map(drop) }
        });
        first.stop().told().await;
        assert!(!second.is_finished());
        drop(first);
        second.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn who_has_a_place_and_who_waits_for_it_are_both_told_of() {
        let running = Running::default();
        let first = running.begin(of("b")).await.unwrap();
        let _other = running.begin(of("a")).await.unwrap();
        let mut second = Box::pin(running.begin(of("b")));
        assert!(waits(&mut second).await);
        first.entry.standing.ends("it was asked to stop");
        let told = |running: &Running| -> Vec<(String, RunState, String)> {
            let all = running.standings().into_iter();
            all.map(|it| {
                let reasons: Vec<_> = it.reasons.iter().map(|reason| &*reason.text).collect();
                (it.package_id.clone(), it.state(), reasons.join("; "))
            })
            .collect()
        };
        let starting = |package: &str, reason: &str| {
            (package.to_owned(), RunState::Starting, reason.to_owned())
        };
        let ending = ("b".to_owned(), RunState::Ending, "it was asked to stop".to_owned());
        let waiting = starting("b", "it waits for the end of an earlier run");
        assert_eq!(told(&running), [starting("a", ""), ending, waiting]);
        drop(first);
        let _second = second.await.unwrap();
        assert_eq!(told(&running), [starting("a", ""), starting("b", "")]);
    }

    #[tokio::test]
    async fn of_those_that_wait_the_newest_begins() {
        let running = Running::default();
        let first = running.begin(of("a")).await.unwrap();
        let mut second = Box::pin(running.begin(of("a")));
        assert!(waits(&mut second).await);
        let mut third = Box::pin(running.begin(of("a")));
        assert!(waits(&mut third).await);
        // It is told at once, not when the first has ended.
        let superseded = second.await.err().unwrap();
        assert!(matches!(superseded, NoPlace::Superseded), "{superseded}");
        assert!(waits(&mut third).await);
        drop(first);
        let third = third.await.unwrap();
        assert!(!third.stop().is_told());
    }

    #[tokio::test]
    async fn one_that_waits_no_more_leaves_nothing() {
        let running = Running::default();
        let first = running.begin(of("a")).await.unwrap();
        let mut second = Box::pin(running.begin(of("a")));
        assert!(waits(&mut second).await);
        drop(second);
        drop(first);
        assert!(running.lock().places.is_empty());
        running.begin(of("a")).await.unwrap();
    }

    #[tokio::test]
    async fn no_peer_takes_the_place_of_another() {
        let running = Running::default();
        let [one, other] = ["peer0", "peer1"].map(|name| Caller::Peer(name.parse().unwrap()));
        let mine = running.begin(called_by(&one, "a")).await.unwrap();
        let _its = running.begin(called_by(&other, "a")).await.unwrap();
        let _beside = running.begin(of("a")).await.unwrap();
        assert!(!mine.stop().is_told());
        let told: Vec<_> = running.standings().into_iter().map(|it| it.peer).collect();
        assert_eq!(told, ["", "peer0", "peer1"]);
    }

    #[tokio::test]
    async fn a_stopping_launcher_takes_no_more() {
        let running = Running::default();
        let slot = running.begin(of("a")).await.unwrap();
        let stopping = tokio::spawn({
            let running = running.clone();
            async move { running.stop_all(Duration::from_mins(1)).await }
        });
        slot.stop().told().await;
        assert!(running.begin(of("b")).await.is_err());
        drop(slot);
        stopping.await.unwrap();
    }
}
