//! The pods of a chaincode that is there while it is called for: their keepers are told when its
//! process is to run.
//!
//! Each pod is a seat (`seats.rs`). Which process has registered and which was let go, the proxy says;
//! what becomes of a process besides, its keeper says first, and the pod's log in full. A keeper is
//! believed of its own pod alone: one that lies gets no process, or is ordered one in vain.

mod crew;
mod keeper_line;
mod word;

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use selvedge_config::Chaincode;
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use self::crew::{Crew, Job};
use self::word::{PodUid, Word};
use super::followed_logs::LastEnds;
use super::pod_addresses::addresses;
use crate::backend::{Meeting, ReplicaEvent, ReplicaExit};

/// Who tells them.
#[derive(Clone)]
pub(super) struct FunctionWords(mpsc::UnboundedSender<Word>);

/// The pods of a function.
pub(super) struct Function {
    words: FunctionWords,
    /// How many pods there are to be.
    pods: watch::Receiver<u16>,
    /// What was said last of what is there.
    there: BTreeMap<PodUid, Vec<IpAddr>>,
    hindrance: Option<String>,
    _task: AbortOnDropHandle<()>,
}

impl Function {
    /// Those of chaincode that runs by these settings, if that is a function. Where it listens, it does
    /// so at this port.
    pub(super) fn of(
        settings: &Chaincode,
        port: Option<u16>,
        events: mpsc::Sender<ReplicaEvent>,
        ends: watch::Receiver<LastEnds>,
    ) -> Option<Self> {
        let job = Job::of(settings, port)?;
        // Of the proxy's words there are no more than events of it, which are bounded; the others are
        // said when something changes.
        let (words, heard) = mpsc::unbounded_channel();
        let (pods, wanted) = watch::channel(job.pods_at_rest);
        let crew = Crew::new(job, events, ends, pods);
        let task = tokio::spawn(crew.serve(heard).in_current_span());
        Some(Self {
            words: FunctionWords(words),
            pods: wanted,
            there: BTreeMap::new(),
            hindrance: None,
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// By whom the proxy's words are passed on.
    pub(super) fn words(&self) -> FunctionWords {
        self.words.clone()
    }

    /// Returns when another number of pods is wanted than when this returned last.
    pub(super) async fn resized(&mut self) {
        if self.pods.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// How many pods there are to be.
    pub(super) fn pods(&mut self) -> u16 {
        *self.pods.borrow_and_update()
    }

    /// These pods are there.
    pub(super) fn see(&mut self, pods: &[&Pod]) {
        let there: BTreeMap<PodUid, Vec<IpAddr>> = pods
            .iter()
            .filter(|pod| is_of_use(pod))
            .filter_map(|pod| Some((pod.uid()?, addresses(pod).collect())))
            .filter(|(_, addresses): &(_, Vec<_>)| !addresses.is_empty())
            .collect();
        if self.there != there {
            self.there.clone_from(&there);
            self.words.say(Word::Pods(there));
        }
    }

    /// No other pod will run soon, for this reason, or for none that is known.
    pub(super) fn hinder(&mut self, reason: Option<String>) {
        if self.hindrance != reason {
            self.hindrance.clone_from(&reason);
            self.words.say(Word::Hindered(reason));
        }
    }

    /// The container of a pod has ended.
    pub(super) fn ended(&self, pod: PodUid, exit: ReplicaExit) {
        self.words.say(Word::Ended(pod, exit));
    }
}

impl FunctionWords {
    /// So many processes are wanted.
    pub(super) fn want(&self, processes: usize) {
        self.say(Word::Want(processes));
    }

    /// The proxy has something to do with the process that comes from there, or listens there.
    pub(super) fn met(&self, address: IpAddr, meeting: Meeting) {
        self.say(Word::Met(address.to_canonical(), meeting));
    }

    fn say(&self, word: Word) {
        // Who has ended needs no word.
        let _ = self.0.send(word);
    }
}

/// Whether a process may run there, and go on doing so.
fn is_of_use(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    phase == Some("Running") && pod.metadata.deletion_timestamp.is_none()
}
