//! A replica that hangs, or has lost its stream and does not end, is replaced alone: its pod's keeper
//! kills it, and starts it again.
//!
//! Which pod that is, its address says (`replacement/attribution.rs`), and that no other process is
//! meant than the one that was lost, how long it has run. A keeper is believed of its own pod alone: one
//! that lies has no replica in it. Where none can be ordered, all are replaced.
//!
//! A task of its own: nothing here waits for the Kubernetes API.

mod attribution;
mod kill;
mod losses;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use selvedge_proxy::ReplicaPlace;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, debug, info, warn};

use self::attribution::{KeptPod, Pods, Whose};
use self::kill::{Killed, Unkilled, kill};
use self::losses::{Loss, Losses};
use super::order::Order;
use crate::backend::{Meeting, ReplicaEvent};
use crate::error_chain::one_line;

/// Who replaces the replicas of a run, one by one; it ends with this.
pub(super) struct Replacement {
    pods: Pods,
    words: mpsc::UnboundedSender<Word>,
    _task: AbortOnDropHandle<()>,
}

/// What is said of replicas.
enum Word {
    /// The proxy had something to do with the one at the other end there, at that time.
    Met(SocketAddr, Meeting, Instant),
    /// None is connected, and all that were started before then are of no use.
    Deserted(SystemTime),
}

/// What there is to do.
struct Work {
    pods: Pods,
    losses: Losses,
    /// Whether any has registered since it was last in vain, or all were of no use.
    is_met: bool,
    events: mpsc::Sender<ReplicaEvent>,
    /// Has all replaced that were started before then.
    disconnected: watch::Sender<Option<SystemTime>>,
}

impl Replacement {
    /// Begins. Those that cannot be replaced one by one are told of by `events`, or, where none is
    /// connected, by `disconnected`.
    pub(super) fn begin(
        order: &Order,
        events: mpsc::Sender<ReplicaEvent>,
        disconnected: watch::Sender<Option<SystemTime>>,
    ) -> Self {
        let pods = Pods::of(order);
        // There are no more than events of the proxy, which are bounded.
        let (words, heard) = mpsc::unbounded_channel();
        let losses = Losses::default();
        let work = Work { pods: pods.clone(), losses, is_met: false, events, disconnected };
        let task = tokio::spawn(work.go_on(heard).in_current_span());
        Self { pods, words, _task: AbortOnDropHandle::new(task) }
    }

    /// Whether one that hangs there can be told from others.
    pub(super) fn knows(&self, place: ReplicaPlace) -> bool {
        place.address.is_some_and(|address| {
            matches!(self.pods.at(address.ip().to_canonical()), Whose::Kept(_))
        })
    }

    /// The proxy has something to do with the replica there.
    pub(super) fn met(&self, place: ReplicaPlace, meeting: Meeting) {
        if let Some(address) = place.address {
            self.say(Word::Met(address, meeting, Instant::now()));
        }
    }

    /// None is connected, and all that were started before then are of no use.
    pub(super) fn deserted(&self, since: SystemTime) {
        self.say(Word::Deserted(since));
    }

    fn say(&self, word: Word) {
        // It ends after whoever says something.
        let _ = self.words.send(word);
    }
}

impl Work {
    /// Does what follows from the words, until there are none any more.
    async fn go_on(mut self, mut words: mpsc::UnboundedReceiver<Word>) {
        loop {
            // What is lost meanwhile is kept in mind: the order says how long the process must have run.
            let is_ours = self.pods.are_ours();
            if is_ours {
                let due = self.losses.due(Instant::now());
                self.replace(due).await;
            }
            let next = self.losses.next_moment().filter(|_| is_ours);
            tokio::select! {
                word = words.recv() => match word {
                    Some(Word::Met(end, meeting, at)) => {
                        self.is_met |= meeting == Meeting::Joined;
                        self.losses.heard(end, meeting, at);
                    }
                    Some(Word::Deserted(since)) => self.replace_all(since).await,
                    None => return,
                },
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
                () = self.pods.become_ours(), if !is_ours => {}
            }
        }
    }

    /// Has each of them replaced. Where one that hangs cannot be, that is told.
    async fn replace(&mut self, losses: Vec<Loss>) {
        let mut orders = JoinSet::new();
        for loss in losses {
            let pods = self.pods.clone();
            orders.spawn(async move { (loss.hangs, replace_one(&pods, loss).await) });
        }
        for (hangs, done) in orders.join_all().await {
            if let (true, Err(reason)) = (hangs, done) {
                self.is_met = false;
                // Nobody listens any more once the run is to end.
                let _ = self.events.send(ReplicaEvent::Unreplaced(one_line(&reason))).await;
            }
        }
    }

    /// Has all replaced one by one that were started before then, if that may help: pods in which none
    /// has registered since the last time are made anew.
    async fn replace_all(&mut self, since: SystemTime) {
        // After a clock that was set back nobody knows: nothing is killed that may be new.
        let ran = since.elapsed().unwrap_or(Duration::MAX);
        let pods: Option<Vec<KeptPod>> = self.pods.started_before(since).into_iter().collect();
        let pods = pods.filter(|_| std::mem::take(&mut self.is_met) && self.pods.are_ours());
        let pods = pods.unwrap_or_default();
        let is_any = !pods.is_empty();
        let orders = pods.into_iter().map(|pod| async move { order(&pod, ran).await });
        let done = orders.collect::<JoinSet<_>>().join_all().await;
        if !is_any || done.iter().any(Result::is_err) {
            self.disconnected.send_replace(Some(since));
        }
    }
}

/// Has one replaced, if its pod is there to stay.
async fn replace_one(pods: &Pods, loss: Loss) -> Result<(), Unkilled> {
    let pod = match pods.at(loss.address) {
        Whose::Kept(pod) => pod,
        Whose::Nobodys => return Ok(()),
        Whose::Unclear => return Err(Unkilled::Unclear),
    };
    let done = order(&pod, loss.joined.elapsed()).await;
    // One that is to go by now is replaced anyway.
    if matches!(pods.at(loss.address), Whose::Nobodys) { Ok(()) } else { done }
}

/// Has the keeper of the pod kill what has run there for so long.
async fn order(pod: &KeptPod, ran: Duration) -> Result<(), Unkilled> {
    match kill(pod.keeper, ran).await {
        Ok(Killed::Killed) => info!(pod = pod.name, "a replica that was of no use was killed"),
        Ok(Killed::HadEnded) => debug!(pod = pod.name, "a replica that was lost had ended"),
        Err(error) => {
            warn!(pod = pod.name, %error, "a replica that is of no use cannot be killed");
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
