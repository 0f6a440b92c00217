//! Builds whose launcher is gone, and for which nobody waits: deleted.
//!
//! One that was let run ends by its own limit, and Kubernetes clears it away; one that was still
//! suspended would stay for ever.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::super::failure::{ApiFailure, call};
use super::super::ground::Ground;
use super::custody::delete;
use super::job::has_ended;
use super::manifest::selector;
use super::pulse::{INTERVAL, SILENCE, silence};
use crate::error_chain::one_line;

/// How often they are looked for.
const ROUND: Duration = Duration::from_hours(1);

/// How long each is listened to: a launcher that lives is heard by then.
const LISTEN: Duration = Duration::from_secs(SILENCE.as_secs() + 3 * INTERVAL.as_secs());

/// Looks for them, at once and then for as long as the launcher lives.
pub(super) async fn sweep(ground: Arc<Ground>) {
    loop {
        if let Err(failure) = look(&ground).await {
            warn!(reason = one_line(&failure), "cannot look for builds that were left behind");
        }
        sleep(ROUND).await;
    }
}

async fn look(ground: &Ground) -> Result<(), ApiFailure> {
    let jobs: Api<Job> = ground.api();
    let builds = ListParams::default().labels(&selector());
    let found = call("list the Jobs of builds", jobs.list(&builds)).await?;
    let mut listening = JoinSet::new();
    for job in found.items.into_iter().filter(|job| !has_ended(job)) {
        let jobs = jobs.clone();
        listening.spawn(async move {
            let (name, uid) = (job.name_any(), job.uid().unwrap_or_default());
            if timeout(LISTEN, silence(&jobs, &name, &uid)).await.is_err() {
                return;
            }
            match delete(&jobs, &name, &uid).await {
                Ok(()) => info!(job = name, "a build that its launcher left behind was deleted"),
                Err(failure) => warn!(reason = one_line(&failure), "a build is left behind"),
            }
        });
    }
    listening.join_all().await;
    Ok(())
}
