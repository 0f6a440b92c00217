//! One Job of a build: made, let run, found, deleted.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use selvedge_config::Builds;
use selvedge_manifest::MANAGER;
use serde_json::json;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::super::failure::{ApiFailure, call};
use super::super::ground::Ground;
use super::custody::{self, Custody};
use super::manifest::{self, BuildOrder};
use super::reach::Reach;
use crate::error_chain::one_line;

/// A pause before something that passes by itself is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// A Job that exists.
pub(super) struct BuildJobHandle<'a> {
    pub(super) ground: &'a Ground,
    pub(super) settings: &'a Builds,
    /// Boxed: an object's type is kilobytes large.
    pub(super) job: Box<Job>,
}

/// Whose a Job is.
pub(super) enum Begun<'a> {
    /// It was made just now, and is deleted when the custody of it is dropped.
    Ours(BuildJobHandle<'a>, Box<Custody>),
    /// It was there.
    There(BuildJobHandle<'a>),
}

/// Makes the order's Job, suspended, or finds the one that is there. `ends` sees to it that one
/// that was made is deleted even if nobody waits for this any more.
pub(super) async fn begin<'a>(
    ground: &'a Ground,
    order: &BuildOrder<'a>,
    ends: &TaskTracker,
) -> Result<Begun<'a>, ApiFailure> {
    let jobs: Api<Job> = ground.api();
    let name = manifest::name(order.key);
    let handle = |job| BuildJobHandle { ground, settings: order.settings, job: Box::new(job) };
    loop {
        let job = order.job();
        match patiently(|| make(jobs.clone(), job.clone(), ends)).await {
            Ok((job, custody)) => return Ok(Begun::Ours(handle(job), Box::new(custody))),
            Err(failure) if failure.is_there_already() => {}
            Err(failure) => return Err(failure),
        }
        let act = format!("read the Job {name}");
        if let Some(job) = patiently(|| call(&act, jobs.get_opt(&name))).await? {
            return Ok(Begun::There(handle(job)));
        }
    }
}

/// Makes the Job, in a task of its own: a build that is given up just now must not leave a Job of
/// which nobody heard that it was made.
async fn make(jobs: Api<Job>, job: Job, ends: &TaskTracker) -> Result<(Job, Custody), ApiFailure> {
    let act = format!("create the Job {}", job.name_any());
    let made = ends.spawn({
        let (act, ends) = (act.clone(), ends.clone());
        async move {
            let parameters =
                PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
            let job = call(&act, jobs.create(&parameters, &job)).await?;
            let uid = job.uid().unwrap_or_default();
            let custody = Custody::take(jobs, &job.name_any(), &uid, ends);
            Ok((job, custody))
        }
    });
    made.await.unwrap_or_else(|error| Err(ApiFailure::Unreachable { act, source: error.into() }))
}

impl BuildJobHandle<'_> {
    /// Gives the Job what it needs and lets it run. Its address is in `url`.
    pub(super) async fn release(
        &self,
        order: &BuildOrder<'_>,
        url: &str,
        reach: &Reach<'_>,
    ) -> Result<(), ApiFailure> {
        let creation = PostParams::default();
        let secrets: Api<Secret> = self.ground.api();
        let secret = order.secret(&self.job, url);
        let act = format!("create the Secret {}", secret.name_any());
        made(patiently(|| call(&act, secrets.create(&creation, &secret))).await)?;
        let policies: Api<NetworkPolicy> = self.ground.api();
        let policy = order.policy(&self.job, reach);
        let act = format!("create the NetworkPolicy {}", policy.name_any());
        made(patiently(|| call(&act, policies.create(&creation, &policy))).await)?;
        let jobs: Api<Job> = self.ground.api();
        let resume = Patch::Merge(json!({ "spec": { "suspend": false } }));
        let act = format!("start the Job {}", self.name());
        let name = self.name();
        let parameters = PatchParams::default();
        patiently(|| call(&act, jobs.patch(&name, &parameters, &resume))).await?;
        info!(job = name, namespace = self.ground.namespace, "build was started");
        Ok(())
    }

    pub(super) fn name(&self) -> String {
        self.job.name_any()
    }

    pub(super) fn uid(&self) -> String {
        self.job.uid().unwrap_or_default()
    }

    /// Whether it is on its way: neither ended nor being deleted.
    pub(super) fn is_open(&self) -> bool {
        !has_ended(&self.job) && self.job.metadata.deletion_timestamp.is_none()
    }

    /// The pod's UID of the launcher that made it.
    pub(super) fn begun_by(&self) -> Option<&str> {
        self.job.annotations().get(manifest::BEGUN_BY).map(String::as_str)
    }

    /// Deletes it now, and returns when the name is free.
    pub(super) async fn delete(self) -> Result<(), ApiFailure> {
        let jobs: Api<Job> = self.ground.api();
        let (name, uid) = (self.name(), self.uid());
        patiently(|| custody::delete(&jobs, &name, &uid)).await?;
        let act = format!("read the Job {name}");
        while let Some(job) = patiently(|| call(&act, jobs.get_opt(&name))).await?
            && job.uid().as_ref() == Some(&uid)
        {
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

/// Whether nothing of the Job goes on any more; Kubernetes clears it away.
pub(super) fn has_ended(job: &Job) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| {
        matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True"
    })
}

/// An object whose creation was tried twice is there all the same: its name is ours alone.
fn made<T>(created: Result<T, ApiFailure>) -> Result<(), ApiFailure> {
    match created {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_there_already() => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// Tries again what passes by itself, for as long as the build may take.
pub(super) async fn patiently<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, ApiFailure>
where
    F: Future<Output = Result<T, ApiFailure>>,
{
    loop {
        match attempt().await {
            Err(failure) if failure.is_passing() => {
                warn!(reason = one_line(&failure), "trying again");
                sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;
