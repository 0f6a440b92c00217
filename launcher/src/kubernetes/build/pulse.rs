//! Signs of life: whether the launcher that began a Job is still there to see it through.
//!
//! A launcher may be killed at any moment, also between making its Job, suspended, and letting it
//! run; a Job's own limit stands still until then (`pkg/controller/job/job_controller.go`: the start
//! time is set when it is resumed). Its pod tells nothing: a container that was started anew is
//! another launcher in the same pod, and the pods of another namespace may not be read. So the
//! launcher renews an annotation of its Job, with the verb that it needs for the Job anyway. Only
//! whether that changes is looked at: the clocks of two machines are not compared.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use super::super::failure::{ApiFailure, call};
use crate::error_chain::one_line;

/// When its launcher last gave a sign of life, RFC 3339; an annotation of the Job.
pub(super) const ALIVE_AT: &str = "selvedge.dev/alive-at";

/// How often a launcher gives a sign of life, and how often another looks for it.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);

/// How long a launcher may give none.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// The sign of life of now.
pub(super) fn now() -> String {
    Timestamp::now().to_string()
}

/// Gives signs of life for the Job; returns when there is no such Job any more.
pub(super) async fn beat(jobs: Api<Job>, name: String, uid: String) {
    loop {
        sleep(INTERVAL).await;
        let act = format!("renew the Job {name}");
        // With another UID it is another's Job, and refused.
        let sign =
            Patch::Merge(json!({ "metadata": { "uid": uid, "annotations": { ALIVE_AT: now() } } }));
        match call(&act, jobs.patch(&name, &PatchParams::default(), &sign)).await {
            Ok(_) => {}
            Err(failure) if is_over(&failure, &jobs, &name, &uid).await => return,
            Err(failure) => warn!(job = name, reason = one_line(&failure), "no sign of life"),
        }
    }
}

/// Whether a failure means that there is no such Job any more.
async fn is_over(failure: &ApiFailure, jobs: &Api<Job>, name: &str, uid: &str) -> bool {
    if failure.is_not_found() {
        return true;
    }
    let read = call("read the Job", jobs.get_opt(name)).await;
    matches!(read, Ok(job) if !is_it(job.as_ref(), uid))
}

/// Returns once the Job's launcher has given no sign of life for its time; never if the Job is gone.
pub(super) async fn silence(jobs: &Api<Job>, name: &str, uid: &str) {
    let act = format!("read the Job {name}");
    let mut heard: Option<(Option<String>, Instant)> = None;
    loop {
        match call(&act, jobs.get_opt(name)).await {
            Ok(job) if is_it(job.as_ref(), uid) => {
                let sign = job.and_then(|job| job.annotations().get(ALIVE_AT).cloned());
                match &heard {
                    Some((last, since)) if *last == sign => {
                        if since.elapsed() >= SILENCE {
                            return;
                        }
                    }
                    _ => heard = Some((sign, Instant::now())),
                }
            }
            Ok(_) => std::future::pending().await,
            // While the API cannot be asked, nobody can give a sign either.
            Err(failure) => {
                debug!(reason = one_line(&failure), "cannot look for signs of life");
                heard = None;
            }
        }
        sleep(INTERVAL).await;
    }
}

fn is_it(job: Option<&Job>, uid: &str) -> bool {
    job.is_some_and(|job| job.metadata.uid.as_deref() == Some(uid))
}
