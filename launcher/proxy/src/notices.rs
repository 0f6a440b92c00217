//! The way of events to the proxy's owner, of bounded length whatever replicas do.
//!
//! A replica may open and end streams for as long as it lives. The owner must hear of each that it
//! took for ready that it is gone, and of the first losses how they came about; of the others it
//! is enough to know how many there were.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::mpsc;

use crate::event::{Event, Notice};

/// How many losses of replicas wait to be heard of one by one.
const LOSSES: usize = 64;

/// The proxy's end.
pub(crate) struct NoticeSender {
    queue: Arc<Mutex<Queue>>,
    /// Says that there is something; its end, that nothing more comes.
    bell: mpsc::Sender<()>,
}

/// The owner's end.
pub(crate) struct Notices {
    queue: Arc<Mutex<Queue>>,
    bell: mpsc::Receiver<()>,
}

/// A way for events.
pub(crate) fn channel() -> (NoticeSender, Notices) {
    let queue = Arc::<Mutex<Queue>>::default();
    let (ring, bell) = mpsc::channel(1);
    (NoticeSender { queue: Arc::clone(&queue), bell: ring }, Notices { queue, bell })
}

impl NoticeSender {
    /// Something has happened just now.
    pub(crate) fn send(&self, event: Event) {
        lock(&self.queue).push(Notice { at: SystemTime::now(), event });
        // One that was rung already is as good; an owner that is gone hears nothing.
        let _ = self.bell.try_send(());
    }
}

impl Notices {
    /// The next event; `None` when there will be none. Nothing is lost when the wait is given up.
    pub(crate) async fn recv(&mut self) -> Option<Notice> {
        loop {
            if let Some(notice) = lock(&self.queue).pop() {
                return Some(notice);
            }
            if self.bell.recv().await.is_none() {
                return lock(&self.queue).pop();
            }
        }
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    // No code that could panic runs under this lock.
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Queue {
    notices: VecDeque<Notice>,
    /// How many of them are losses.
    losses: usize,
    /// Who is ready as far as the owner knows.
    known: HashSet<u64>,
    /// Losses that are only counted, and when the last one was.
    others: Option<(u64, SystemTime)>,
}

impl Queue {
    fn push(&mut self, notice: Notice) {
        if let Some(replica) = lost(&notice.event) {
            if !self.known.remove(&replica) && self.losses >= LOSSES {
                return self.count(replica, notice.at);
            }
            self.losses += 1;
        }
        if is_demand(&notice.event) {
            // The last word counts.
            self.notices.pop_back_if(|last| is_demand(&last.event));
        }
        self.notices.push_back(notice);
    }

    /// Nobody needs to know that it was there.
    fn count(&mut self, replica: u64, at: SystemTime) {
        self.notices.retain(|notice| {
            !matches!(notice.event, Event::ReplicaReady { replica: ready, .. } if ready == replica)
        });
        let before = self.others.map_or(0, |(number, _)| number);
        self.others = Some((before + 1, at));
    }

    fn pop(&mut self) -> Option<Notice> {
        let is_last =
            matches!(self.notices.front(), None | Some(Notice { event: Event::Ended { .. }, .. }));
        if is_last && let Some((number, at)) = self.others.take() {
            return Some(Notice { at, event: Event::ReplicasLost { number } });
        }
        let notice = self.notices.pop_front()?;
        match notice.event {
            Event::ReplicaReady { replica, .. } => {
                self.known.insert(replica);
            }
            _ if lost(&notice.event).is_some() => self.losses -= 1,
            _ => {}
        }
        Some(notice)
    }
}

/// The replica that is there no more, if the event is that.
fn lost(event: &Event) -> Option<u64> {
    match event {
        Event::ReplicaGone { replica, .. }
        | Event::ReplicaReleased { replica, .. }
        | Event::ReplicaHung { replica, .. }
        | Event::ReplicaCutOff { replica, .. }
        | Event::ReplicaLeft { replica, .. } => Some(*replica),
        Event::Ready
        | Event::ReplicaReady { .. }
        | Event::ReplicaUnreached { .. }
        | Event::Wanted { .. }
        | Event::TransactionDiffered { .. }
        | Event::Retired { .. }
        | Event::ReplicasLost { .. }
        | Event::Ended { .. } => None,
    }
}

fn is_demand(event: &Event) -> bool {
    matches!(event, Event::Wanted { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Fates;
    use crate::identity::{Credential, ReplicaPlace};

    fn credential() -> Credential {
        Credential::of(b"a certificate")
    }

    fn joined(replica: u64) -> Event {
        Event::ReplicaReady { replica, credential: credential(), place: ReplicaPlace::default() }
    }

    fn gone(replica: u64) -> Event {
        let (credential, reason) = (credential(), "it closed its stream".into());
        Event::ReplicaGone { replica, credential, reason, fates: Fates::default() }
    }

    fn left(replica: u64) -> Event {
        let (credential, reason) = (credential(), "it closed its stream".into());
        Event::ReplicaLeft { replica, credential, reason, fates: Fates::default() }
    }

    fn cut_off(replica: u64) -> Event {
        let (credential, reason) = (credential(), "it did not register".into());
        Event::ReplicaCutOff { replica, credential, reason, fates: Fates::default() }
    }

    fn ended() -> Event {
        Event::Ended { reason: "it was asked to stop".into(), was_ready: true }
    }

    /// All that there is until the sender's end.
    async fn rest(mut notices: Notices) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(notice) = notices.recv().await {
            events.push(notice.event);
        }
        events
    }

    #[tokio::test]
    async fn events_come_in_order_with_the_time_of_their_sending() {
        let (sender, mut notices) = channel();
        let events = [joined(0), Event::Ready, gone(0), ended()];
        for event in &events {
            sender.send(event.clone());
        }
        let sent = SystemTime::now();
        for event in events {
            let notice = notices.recv().await.unwrap();
            assert_eq!(notice.event, event);
            assert!(notice.at <= sent);
        }
        drop(sender);
        assert_eq!(notices.recv().await, None);
    }

    #[tokio::test]
    async fn streams_without_end_are_counted_and_hide_nothing() {
        const STREAMS: u64 = 10_000;
        let (sender, mut notices) = channel();
        sender.send(joined(0));
        assert_eq!(notices.recv().await.unwrap().event, joined(0));
        for replica in 1..=STREAMS {
            match replica % 3 {
                0 => {
                    sender.send(joined(replica));
                    sender.send(gone(replica));
                }
                1 => sender.send(cut_off(replica)),
                _ => sender.send(left(replica)),
            }
        }
        sender.send(Event::Ready);
        sender.send(gone(0));
        sender.send(joined(STREAMS + 1));
        sender.send(ended());
        drop(sender);
        let events = rest(notices).await;
        assert!(events.len() < 2 * LOSSES + 5, "{}", events.len());
        let told = events.iter().filter_map(lost).count() as u64;
        let [.., gone_at_last, ready, number, end] = &events[..] else { panic!("{events:?}") };
        assert_eq!(gone_at_last, &gone(0));
        assert_eq!(ready, &joined(STREAMS + 1));
        assert_eq!(number, &Event::ReplicasLost { number: STREAMS + 1 - told });
        assert_eq!(end, &ended());
        assert!(events.contains(&Event::Ready));
    }

    #[tokio::test]
    async fn who_is_told_of_as_ready_is_told_of_as_lost() {
        let (sender, mut notices) = channel();
        let mut ready = HashSet::new();
        let mut losses = 0;
        for replica in 0..1_000 {
            sender.send(joined(replica));
            // An owner that hears of less than happens.
            let event = notices.recv().await.unwrap().event;
            if let Event::ReplicaReady { replica, .. } = event {
                assert!(ready.insert(replica));
            } else if let Some(replica) = lost(&event) {
                assert!(ready.remove(&replica), "{replica} was lost and never there");
                losses += 1;
            }
            sender.send(gone(replica));
        }
        drop(sender);
        for event in rest(notices).await {
            match event {
                Event::ReplicaReady { replica, .. } => assert!(ready.insert(replica)),
                Event::ReplicasLost { number } => losses += number,
                event => {
                    assert!(ready.remove(&lost(&event).unwrap()));
                    losses += 1;
                }
            }
        }
        assert!(ready.is_empty(), "{ready:?}");
        assert_eq!(losses, 1_000);
    }
}
