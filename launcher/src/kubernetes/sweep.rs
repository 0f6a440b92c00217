//! What an earlier launcher of the peer left: adopted by a new run, or swept.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::ground::Ground;
use super::identity::{PACKAGE_ID, STOPPED_AT};
use super::lease::Lease;
use super::objects::{forget, scale_to_zero};
use super::observed::Observed;
use crate::error_chain::one_line;

/// How often what was stopped long ago is looked for.
const INTERVAL: Duration = Duration::from_hours(1);

/// How long the cluster may take to show what there is.
const READY: Duration = Duration::from_mins(5);

/// The chaincodes that this launcher has run, by name.
#[derive(Default)]
pub(crate) struct Adopted(Mutex<HashSet<String>>);

impl Adopted {
    /// A run uses the objects of this name from now on.
    pub(crate) fn add(&self, name: &str) {
        self.lock().insert(name.into());
    }

    fn contains(&self, name: &str) -> bool {
        self.lock().contains(name)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sweeps for as long as the launcher lives.
pub(crate) struct Sweeper {
    pub(crate) ground: Arc<Ground>,
    pub(crate) observed: Arc<Observed>,
    pub(crate) adopted: Arc<Adopted>,
    pub(crate) lease: Arc<Lease>,
    /// How long what an earlier launcher left running waits for a run.
    pub(crate) adopt_within: Duration,
    /// How long what was stopped is kept.
    pub(crate) forget_after: Duration,
}

impl Sweeper {
    pub(crate) async fn sweep(self) {
        // Another launcher's chaincode is not this one's to judge.
        while self.lease.held(READY).await.is_err() {}
        sleep(self.adopt_within).await;
        loop {
            if self.lease.is_held() && timeout(READY, self.observed.ready()).await.is_ok() {
                for deployment in self.observed.deployments.state() {
                    self.look_at(&deployment).await;
                }
            }
            sleep(INTERVAL).await;
        }
    }

    async fn look_at(&self, deployment: &Deployment) {
        let name = deployment.name_any();
        let package_id =
            deployment.annotations().get(PACKAGE_ID).map(String::as_str).unwrap_or_default();
        let outcome = match self.judge(deployment, Timestamp::now()) {
            Verdict::Keep => return,
            Verdict::Stop => {
                info!(package_id, name, "no peer started the chaincode anew, it is stopped");
                scale_to_zero(&self.ground, &name).await
            }
            Verdict::Forget => {
                info!(package_id, name, "the chaincode was stopped long ago, it is deleted");
                forget(&self.ground, deployment).await
            }
        };
        if let Err(failure) = outcome {
            warn!(package_id, name, reason = one_line(&failure), "cannot sweep");
        }
    }

    fn judge(&self, deployment: &Deployment, now: Timestamp) -> Verdict {
        let running = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1) > 0;
        if running {
            let adopted = self.adopted.contains(&deployment.name_any());
            return if adopted { Verdict::Keep } else { Verdict::Stop };
        }
        let stopped: Option<Timestamp> =
            deployment.annotations().get(STOPPED_AT).and_then(|time| time.parse().ok());
        let limit = SignedDuration::try_from(self.forget_after).unwrap_or(SignedDuration::MAX);
        match stopped {
            Some(stopped) if now.duration_since(stopped) >= limit => Verdict::Forget,
            _ => Verdict::Keep,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Keep,
    Stop,
    Forget,
}
