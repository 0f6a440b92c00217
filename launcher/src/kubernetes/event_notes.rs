//! What befalls a chaincode's replicas, as Events of its Deployment: for who looks at it with the
//! cluster's own tools. Little is told at once, and what comes meanwhile is dropped: chaincode that
//! ends again and again must not fill the cluster's store.

use std::time::Duration;

use kube::Resource;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use selvedge_manifest::{Identity, MANAGER};
use selvedge_proxy::ReplicaPlace;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::{Instrument, warn};

use super::failure::call;
use super::observed::find;
use super::place::Place;
use crate::backend::{Meeting, ReplicaEvent};
use crate::error_chain::one_line;

/// How long it is silent after each.
const PAUSE: Duration = Duration::from_secs(2);

/// How many wait.
const QUEUE: usize = 8;

/// The longest note, in bytes (`k8s.io/kubernetes/pkg/apis/core/validation/events.go`, `NoteLengthLimit`).
const NOTE: usize = 1024;

/// Tells what befalls the replicas of a set.
pub(super) struct EventNotes {
    notes: mpsc::Sender<Note>,
    /// Whether they come and go as they are called for.
    is_function: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Note {
    type_: EventType,
    reason: &'static str,
    action: &'static str,
    text: String,
}

impl Note {
    fn warning(reason: &'static str, action: &'static str, text: impl Into<String>) -> Self {
        Self { type_: EventType::Warning, reason, action, text: text.into() }
    }

    fn event(mut self) -> Event {
        self.text.truncate(self.text.floor_char_boundary(NOTE));
        Event {
            type_: self.type_,
            reason: self.reason.into(),
            action: self.action.into(),
            note: Some(self.text),
            secondary: None,
        }
    }
}

impl EventNotes {
    /// Of replicas that are applied in this place. It ends when it has told what there was until this
    /// is dropped.
    pub(super) fn begin(place: Place, identity: Identity, is_function: bool) -> Self {
        let (notes, heard) = mpsc::channel(QUEUE);
        tokio::spawn(publish(place, identity, heard).in_current_span());
        Self { notes, is_function }
    }

    /// Something has happened.
    pub(super) fn happened(&self, event: &ReplicaEvent) {
        let note = match event {
            ReplicaEvent::Exited(exit) => {
                Note::warning("ReplicaEnded", "Restarting", format!("a replica ended: {exit}"))
            }
            ReplicaEvent::Trouble(reason) => Note::warning("CannotRun", "Waiting", reason),
            ReplicaEvent::Delayed(Some(reason)) => Note::warning("Delayed", "Retrying", reason),
            ReplicaEvent::Unreplaced(reason) => Note::warning(
                "NotReplaced",
                "ReplacingAll",
                format!("a replica that hangs cannot be replaced alone: {reason}"),
            ),
            _ => return,
        };
        self.tell(note);
    }

    /// The proxy has met a replica.
    pub(super) fn met(&self, place: ReplicaPlace, meeting: Meeting) {
        let at = place.address.map_or_else(String::new, |address| format!(" at {}", address.ip()));
        match meeting {
            Meeting::Joined if !self.is_function => self.tell(Note {
                type_: EventType::Normal,
                reason: "ReplicaRegistered",
                action: "Serving",
                text: format!("the replica{at} takes transactions"),
            }),
            Meeting::Lost => self.tell(Note::warning(
                "ReplicaLost",
                "RunningAgain",
                format!("the replica{at} has lost its connection; what it had is run again"),
            )),
            Meeting::Hung => self.tell(Note::warning(
                "ReplicaHung",
                "Replacing",
                format!("the replica{at} answers nothing and is replaced"),
            )),
            Meeting::Joined | Meeting::Released => {}
        }
    }

    fn tell(&self, note: Note) {
        // The launcher's log, and the peer's, have what is dropped.
        let _ = self.notes.try_send(note);
    }
}

async fn publish(place: Place, identity: Identity, mut notes: mpsc::Receiver<Note>) {
    let instance = Some(place.ground.pod.name.clone());
    let reporter = Reporter { controller: MANAGER.into(), instance };
    let recorder = Recorder::new(place.ground.client.clone(), reporter);
    let mut is_told = false;
    while let Some(note) = notes.recv().await {
        let deployment = find(&place.observed.deployments, &identity);
        let Some(deployment) = deployment.filter(|_| place.lease.is_held()) else { continue };
        let (event, of) = (note.event(), deployment.object_ref(&()));
        let published = call("tell of it in an Event", recorder.publish(&event, &of)).await;
        if let Err(failure) = published
            && !std::mem::replace(&mut is_told, true)
        {
            warn!(reason = one_line(&failure), "what befalls replicas is not told in Events");
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::super::scene::{Scene, until};
    use super::*;
    use crate::backend::{ReplicaExit, Replicas};

    #[tokio::test(start_paused = true)]
    async fn what_befalls_replicas_is_told_of_their_deployment() {
        let scene = Scene::new().await;
        let run = scene.run().await;
        until("the Deployment", || scene.deployment().is_some()).await;
        let address: SocketAddr = "10.0.0.7:4711".parse().unwrap();
        let place = ReplicaPlace { address: Some(address), seat: None };
        // The watch may not have shown the Deployment yet.
        sleep(PAUSE).await;
        run.met(place, Meeting::Joined);
        run.met(place, Meeting::Lost);
        let events = "/apis/events.k8s.io/v1/namespaces/chaincode/events/";
        until("both", || scene.api.objects(events) == 2).await;
        let told: Vec<_> = scene
            .api
            .all(events)
            .into_iter()
            .map(|event| {
                assert_eq!(event["regarding"]["kind"], "Deployment");
                assert_eq!(event["regarding"]["name"], scene.identity.name.as_str());
                (event["type"].clone(), event["reason"].clone(), event["note"].clone())
            })
            .collect();
        let of = |kind: &str, reason: &str, note: &str| (kind.into(), reason.into(), note.into());
        assert_eq!(
            told,
            [
                of("Normal", "ReplicaRegistered", "the replica at 10.0.0.7 takes transactions"),
                of(
                    "Warning",
                    "ReplicaLost",
                    "the replica at 10.0.0.7 has lost its connection; what it had is run again"
                ),
            ]
        );
    }

    #[tokio::test]
    async fn no_more_waits_than_is_told_and_no_note_is_too_long() {
        let (notes, mut heard) = mpsc::channel(QUEUE);
        let told = EventNotes { notes, is_function: false };
        let exit =
            || ReplicaExit { status: "exit status: 1".into(), last_lines: vec!["ö".repeat(3000)] };
        for _ in 0..100 {
            told.happened(&ReplicaEvent::Exited(exit()));
        }
        drop(told);
        let mut number = 0;
        while let Some(note) = heard.recv().await {
            number += 1;
            assert!(note.event().note.unwrap().len() <= NOTE);
        }
        assert_eq!(number, QUEUE);
    }
}
