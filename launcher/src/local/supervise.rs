//! Keeps replicas' processes running: what Kubernetes does with pods' containers.

mod seat;

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use selvedge_proto::launcher::LocalPlace;
use selvedge_proto::launcher::chaincode_status::Place;
use selvedge_proxy::ReplicaPlace;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;

use self::seat::{Seat, Word};
use super::started::Start;
use crate::backend::{Meeting, ReplicaEvent, Replicas, StartError};
use crate::roll::Roll;

/// Supervised replicas: one in each seat that is wanted.
pub(super) struct Supervised {
    events: mpsc::Receiver<ReplicaEvent>,
    /// Since when what runs is of no use.
    disconnected: watch::Sender<Option<SystemTime>>,
    /// How many are wanted: the first ones.
    wanted: watch::Sender<usize>,
    /// What each seat is told that the proxy says.
    words: Vec<mpsc::UnboundedSender<Word>>,
    stop: CancellationToken,
    /// One for each seat.
    tasks: JoinSet<()>,
    roll: Roll,
}

impl Supervised {
    /// Starts so many replicas, with what starts one in each seat; an error when the first start of one
    /// fails. One that is not wanted any more has `drain` to finish what it has in flight.
    pub(super) fn start(
        starts: Vec<Start>,
        wanted: usize,
        drain: Duration,
    ) -> Result<Self, StartError> {
        let (sink, events) = mpsc::channel(256);
        let (disconnected, since) = watch::channel(None);
        let (wanted, number) = watch::channel(wanted);
        let stop = CancellationToken::new();
        let roll = Roll::default();
        let (mut words, mut tasks) = (Vec::new(), JoinSet::new());
        for (seat, start) in starts.into_iter().enumerate() {
            let first = (seat < *number.borrow()).then(|| start.spawn()).transpose()?;
            let (sender, heard) = mpsc::unbounded_channel();
            words.push(sender);
            let seat = Seat {
                number: seat,
                start,
                drain,
                wanted: number.clone(),
                words: heard,
                disconnected: since.clone(),
                stop: stop.clone(),
                events: sink.clone(),
                roll: roll.clone(),
            };
            tasks.spawn(seat.keep(first));
        }
        Ok(Self { events, disconnected, wanted, words, stop, tasks, roll })
    }

    /// Who is told what happens to a replica: nobody where its certificate does not say which it is.
    fn seat(&self, place: ReplicaPlace) -> Option<&mpsc::UnboundedSender<Word>> {
        self.words.get(usize::try_from(place.seat?).ok()?)
    }
}

#[async_trait]
impl Replicas for Supervised {
    fn place(&self) -> Place {
        Place::Local(LocalPlace {})
    }

    fn roll(&self) -> Roll {
        self.roll.clone()
    }

    async fn next_event(&mut self) -> Option<ReplicaEvent> {
        self.events.recv().await
    }

    fn replace_disconnected(&self, since: SystemTime) {
        self.disconnected.send_replace(Some(since));
    }

    fn want(&self, replicas: usize) {
        self.wanted.send_replace(replicas);
    }

    fn met(&self, place: ReplicaPlace, meeting: Meeting) {
        if let (Some(seat), Some(address)) = (self.seat(place), place.address) {
            // A seat that has ended has nothing to hear.
            let _ = seat.send(Word { connection: address, meeting });
        }
    }

    fn replaces_one(&self, place: ReplicaPlace) -> bool {
        self.seat(place).is_some() && place.address.is_some()
    }

    async fn stop(mut self: Box<Self>) {
        self.stop.cancel();
        // What they still write is nobody's concern, but must not hold them up.
        self.events.close();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                error!(%error, "the supervision of a replica failed");
            }
        }
    }
}
