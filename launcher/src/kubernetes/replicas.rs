//! The replicas of one run in the cluster, as the launcher holds them.

use std::time::SystemTime;

use async_trait::async_trait;
use selvedge_proto::launcher::KubernetesPlace;
use selvedge_proto::launcher::chaincode_status::Place;
use selvedge_proxy::ReplicaPlace;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tracing::{Instrument, error};

use super::event_notes::EventNotes;
use super::function::FunctionWords;
use super::order::Order;
use super::replacement::Replacement;
use super::run::{End, Run};
use crate::backend::{Meeting, ReplicaEvent, Replicas};
use crate::roll::Roll;

/// The replicas of one run.
pub(crate) struct ClusterReplicas {
    events: mpsc::Receiver<ReplicaEvent>,
    /// Who replaces those of them that hang.
    replacement: Replacement,
    /// How many are wanted, unless they are a function's processes.
    wanted: watch::Sender<usize>,
    /// What the proxy says of a function's processes, if they are that.
    words: Option<FunctionWords>,
    /// Says how the run is to end; it ends with this, too.
    end: oneshot::Sender<End>,
    task: JoinHandle<()>,
    place: KubernetesPlace,
    roll: Roll,
    /// Where the cluster is told what befalls them.
    notes: EventNotes,
}

impl ClusterReplicas {
    /// Starts to apply the chaincode's objects; what comes of it, events tell. What lies in the
    /// other slot when a run begins is an earlier run's, and of no use.
    pub(crate) fn start(order: Order) -> Self {
        if order.beginning.is_first() {
            let other = order.identity.clone().within(order.identity.slot.other());
            order.adoption.supersede(&other.name);
        }
        let (sink, events) = mpsc::channel(256);
        let (disconnected, since) = watch::channel(None);
        let (end, ended) = oneshot::channel();
        let place = KubernetesPlace {
            namespace: order.place.ground.namespace.clone(),
            deployment: order.identity.name.clone(),
        };
        let (wanted, number) = watch::channel(order.replicas);
        let is_function = order.settings.function().is_some();
        let notes = EventNotes::begin(order.place.clone(), order.identity.clone(), is_function);
        let replacement = Replacement::begin(&order, sink.clone(), disconnected);
        let run = Run::new(order, sink, since, number);
        let (words, roll) = (run.function_words(), run.roll());
        let task = tokio::spawn(run.supervise(ended).in_current_span());
        Self { events, replacement, wanted, words, end, task, place, roll, notes }
    }

    async fn end(self, end: End) {
        let Self { events, end: sender, task, .. } = self;
        // Not taken by what has ended already.
        let _ = sender.send(end);
        // What is still written is nobody's concern, but must not hold it up.
        drop(events);
        if let Err(error) = task.await {
            error!(%error, "the supervision of a chaincode failed");
        }
    }
}

#[async_trait]
impl Replicas for ClusterReplicas {
    fn place(&self) -> Place {
        Place::Kubernetes(self.place.clone())
    }

    fn roll(&self) -> Roll {
        self.roll.clone()
    }

    async fn next_event(&mut self) -> Option<ReplicaEvent> {
        let event = self.events.recv().await;
        if let Some(event) = &event {
            self.notes.happened(event);
        }
        event
    }

    fn replace_disconnected(&self, since: SystemTime) {
        self.replacement.deserted(since);
    }

    fn want(&self, processes: usize) {
        match &self.words {
            Some(words) => words.want(processes),
            None => drop(self.wanted.send_replace(processes)),
        }
    }

    fn met(&self, place: ReplicaPlace, meeting: Meeting) {
        self.notes.met(place, meeting);
        match (&self.words, place.address) {
            (Some(words), Some(address)) => words.met(address.ip(), meeting),
            (Some(_), None) => {}
            (None, _) => self.replacement.met(place, meeting),
        }
    }

    fn replaces_one(&self, place: ReplicaPlace) -> bool {
        self.replacement.knows(place)
    }

    async fn stop(self: Box<Self>) {
        self.end(End::Keep).await;
    }

    async fn leave(self: Box<Self>) {
        self.end(End::Leave).await;
    }

    async fn discard(self: Box<Self>) {
        self.end(End::Discard).await;
    }
}
