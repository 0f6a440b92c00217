//! A Job that this launcher began: alive while it is held, deleted when it is let go.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::{DeleteParams, Preconditions};
use tokio::time::sleep;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::{info, warn};

use super::super::failure::{ApiFailure, call};
use super::pulse;
use crate::error_chain::one_line;

/// A pause before a deletion is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// How often a Job is tried to be deleted.
const DELETIONS: usize = 20;

/// Holds a Job. Dropping it deletes the Job, in the background.
pub(super) struct Custody {
    jobs: Api<Job>,
    name: String,
    uid: String,
    /// Where deletions are waited for at the launcher's end.
    ends: TaskTracker,
    armed: bool,
    _pulse: AbortOnDropHandle<()>,
}

impl Custody {
    /// Takes a Job that was just made.
    pub(super) fn take(jobs: Api<Job>, name: &str, uid: &str, ends: TaskTracker) -> Self {
        let (name, uid) = (name.to_owned(), uid.to_owned());
        let beats = pulse::beat(jobs.clone(), name.clone(), uid.clone());
        let pulse = AbortOnDropHandle::new(tokio::spawn(beats));
        Self { jobs, name, uid, ends, armed: true, _pulse: pulse }
    }

    /// The Job has ended by itself; Kubernetes clears it away.
    pub(super) fn leave(mut self) {
        self.armed = false;
    }
}

impl Drop for Custody {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let (jobs, name, uid) = (self.jobs.clone(), self.name.clone(), self.uid.clone());
        self.ends.spawn(async move {
            for _ in 0..DELETIONS {
                match delete(&jobs, &name, &uid).await {
                    Ok(()) => return info!(job = name, "build was ended"),
                    Err(failure) if failure.is_passing() => sleep(PAUSE).await,
                    Err(failure) => return warn!(reason = one_line(&failure), "build goes on"),
                }
            }
            warn!(job = name, "build goes on for now: it cannot be deleted");
        });
    }
}

/// Deletes the Job and what it owns, if it is the one with that UID.
pub(super) async fn delete(jobs: &Api<Job>, name: &str, uid: &str) -> Result<(), ApiFailure> {
    let parameters = DeleteParams::background()
        .preconditions(Preconditions { uid: Some(uid.to_owned()), ..Preconditions::default() });
    let act = format!("delete the Job {name}");
    let Err(failure) = call(&act, jobs.delete(name, &parameters)).await else {
        return Ok(());
    };
    if failure.is_not_found() {
        return Ok(());
    }
    if failure.is_conflict() {
        // Another one has the name, and ours is gone; or another writer was quicker.
        let now = call(&format!("read the Job {name}"), jobs.get_opt(name)).await?;
        if now.is_none_or(|now| now.metadata.uid.as_deref() != Some(uid)) {
            return Ok(());
        }
    }
    Err(failure)
}
