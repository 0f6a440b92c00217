//! What an earlier launcher of the peer left: adopted by a new run, or swept.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use selvedge_config::Timeouts;
use selvedge_manifest::{INSTANCE, PACKAGE_ID, STOPPED_AT};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::adopted::Left;
use super::departed;
use super::failure::ApiFailure;
use super::objects::{delete, forget, scale_to_zero};
use super::place::Place;
use crate::configuration::Configuration;
use crate::error_chain::one_line;

/// How often what was stopped long ago is looked for.
const INTERVAL: Duration = Duration::from_hours(1);

/// The delay before what could not be done is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// How long the cluster may take to show what there is.
const READY: Duration = Duration::from_mins(5);

/// Sweeps for as long as the launcher lives.
pub(crate) struct Sweeper {
    pub(crate) place: Place,
    pub(crate) configuration: Configuration,
}

impl Sweeper {
    pub(crate) async fn sweep(self) {
        self.await_lease().await;
        let adopt_until = Instant::now() + self.times().adopt.duration();
        loop {
            self.await_lease().await;
            let is_seen = timeout(READY, self.place.observed.ready()).await.is_ok();
            let is_late = Instant::now() >= adopt_until;
            if is_late {
                self.clear_departed().await;
            }
            let pause = if is_seen && self.clear(is_late).await {
                if is_late { INTERVAL } else { adopt_until.duration_since(Instant::now()) }
            } else {
                AGAIN
            };
            // What could not be done in time waits for its next turn.
            let awaiting = self.place.adopted.awaiting().into_iter().map(|(_, until)| until);
            let awaiting = awaiting.filter(|until| *until > Instant::now()).min();
            tokio::select! {
                () = sleep(pause) => {}
                () = sleep_until(awaiting.unwrap_or_else(Instant::now)), if awaiting.is_some() => {}
                () = self.place.adopted.changed() => {}
            }
        }
    }

    /// How long what nobody uses is left alone: whose it was is not known well enough for what an
    /// override says.
    fn times(&self) -> Timeouts {
        self.configuration.now().defaults().timeouts
    }

    /// Another launcher's chaincode is not this one's to judge.
    async fn await_lease(&self) {
        while self.place.lease.held(READY).await.is_err() {}
    }

    /// Deletes what peers left that are gone.
    async fn clear_departed(&self) {
        if let Err(failure) =
            departed::clear(&self.place.ground, self.times().forget.duration()).await
        {
            warn!(reason = one_line(&failure), "cannot look for peers that are gone");
        }
    }

    /// Clears away what is of no use; whether nothing is left to be done just now.
    async fn clear(&self, is_late: bool) -> bool {
        let mut is_done = true;
        for name in self.place.adopted.useless() {
            is_done &= self.delete(&name).await;
        }
        let deployments = self.place.observed.deployments.state();
        self.look(&deployments, is_late).await && is_done
    }

    /// Deletes what is of no use; whether nothing of it is left.
    async fn delete(&self, name: &str) -> bool {
        let Some(unowned) = self.place.adopted.take(name) else { return true };
        // A run may have had them since.
        let Some(left) = self.place.adopted.left(name) else { return true };
        // What was there before this run is shown by now. What a run has just made may not be.
        if left == Left::Superseded && !self.shows(name) {
            unowned.settled(&self.place.adopted, name);
            return true;
        }
        let act = async {
            scale_to_zero(&self.place.ground, name).await?;
            // With the rest goes the policy that confines the pods.
            let is_clear = !self.has_pods(name);
            if is_clear {
                delete(&self.place.ground, name, None).await?;
            }
            Ok(is_clear)
        };
        let reason = match self.place.lease.act(act).await {
            Ok(Ok(false)) => return false,
            Ok(Ok(true)) => {
                unowned.settled(&self.place.adopted, name);
                return true;
            }
            Ok(Err(failure)) => one_line(&failure as &ApiFailure),
            Err(denied) => one_line(&denied),
        };
        warn!(name, reason, "cannot delete what is of no use any more, trying again");
        false
    }

    /// Whether anything of the name is seen that is not deleted with something else.
    fn shows(&self, name: &str) -> bool {
        let observed = &self.place.observed;
        observed.services.find(|service| service.name_any() == name).is_some()
            || observed.deployments.find(|deployment| deployment.name_any() == name).is_some()
    }

    /// Whether any pod of the name may still run.
    fn has_pods(&self, name: &str) -> bool {
        let ended = |pod: &Pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            matches!(phase, Some("Succeeded" | "Failed"))
        };
        let is_own = |pod: &Pod| pod.labels().get(INSTANCE).is_some_and(|own| own == name);
        self.place.observed.pods.find(|pod| is_own(pod) && !ended(pod)).is_some()
    }

    /// Looks at all of them; whether nothing is left to be done just now.
    async fn look(&self, deployments: &[Arc<Deployment>], is_late: bool) -> bool {
        let mut is_done = true;
        for deployment in deployments {
            is_done &= self.look_at(deployment, is_late).await;
        }
        is_done
    }

    async fn look_at(&self, deployment: &Deployment, is_late: bool) -> bool {
        let name = deployment.name_any();
        let verdict = self.judge(deployment, Timestamp::now(), is_late);
        if verdict == Verdict::Keep {
            return true;
        }
        // From here on to the end no run begins with what is judged.
        let Some(unowned) = self.place.adopted.take(&name) else { return true };
        let package_id =
            deployment.annotations().get(PACKAGE_ID).map(String::as_str).unwrap_or_default();
        let act = async {
            if verdict == Verdict::Stop {
                info!(package_id, name, "no peer started the chaincode anew, it is stopped");
                scale_to_zero(&self.place.ground, &name).await
            } else {
                info!(package_id, name, "the chaincode was stopped long ago, it is deleted");
                forget(&self.place.ground, deployment).await
            }
        };
        let reason = match self.place.lease.act(act).await {
            Ok(Ok(())) => {
                unowned.settled(&self.place.adopted, &name);
                return true;
            }
            Ok(Err(failure)) => one_line(&failure),
            Err(denied) => one_line(&denied),
        };
        warn!(package_id, name, reason, "cannot sweep, trying again");
        false
    }

    fn judge(&self, deployment: &Deployment, now: Timestamp, is_late: bool) -> Verdict {
        let running = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1) > 0;
        let stopped: Option<Timestamp> =
            deployment.annotations().get(STOPPED_AT).and_then(|time| time.parse().ok());
        // A function that keeps no pods has none while it rests, and has not been stopped.
        if running || stopped.is_none() {
            let is_left_alone = match self.place.adopted.left(&deployment.name_any()) {
                None => !is_late,
                Some(Left::Awaiting(until)) => Instant::now() < until,
                Some(Left::Running) => false,
                // It is deleted as a whole. The watch may not have shown yet that it is scaled to zero.
                Some(Left::Discarded | Left::Superseded) => true,
            };
            return if is_left_alone { Verdict::Keep } else { Verdict::Stop };
        }
        let forget = self.times().forget.duration();
        let limit = SignedDuration::try_from(forget).unwrap_or(SignedDuration::MAX);
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

#[cfg(test)]
mod tests;
