//! One launcher for a peer: a Lease that one of them holds.
//!
//! Two would undo each other's work without end. A launcher that is killed leaves
//! its Lease behind; the next takes it at once if the holder's pod is gone or is
//! its own, and otherwise when it was not renewed for its time. A holder that cannot
//! renew it stops writing before that, as in `k8s.io/client-go/tools/leaderelection`:
//! it cannot know whether it is the network that fails, or only its own part of it.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease as LeaseObject, LeaseSpec};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::PostParams;
use selvedge_manifest::{MANAGED_BY, MANAGER, PEER, label_value, short_hash, slug};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{error, info, warn};

use super::failure::{ApiFailure, call};
use super::ground::{Ground, OwnPod};
use crate::error_chain::one_line;

/// How long a Lease is good for without being renewed.
const DURATION: Duration = Duration::from_secs(20);

/// How long its holder goes by the last renewal. What it has sent by then has the rest of
/// [`DURATION`] to arrive.
const DEADLINE: Duration = Duration::from_secs(12);

/// How often it is renewed, or asked for.
const INTERVAL: Duration = Duration::from_secs(3);

/// The delay after somebody else was quicker.
const AGAIN: Duration = Duration::from_millis(100);

/// What giving it back may take.
const RELEASE: Duration = Duration::from_secs(1);

/// The Lease of this launcher's peer.
pub(crate) struct Lease {
    ground: Arc<Ground>,
    state: watch::Receiver<State>,
    task: JoinHandle<()>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Asking,
    /// Until then, unless it is renewed.
    Held(Instant),
    Denied(Denial),
}

/// Why a Lease is not held.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Denial {
    reason: String,
    by: Denier,
}

/// Who keeps a Lease from being held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denier {
    /// Nobody said no: it cannot be asked for.
    Nobody,
    /// Another launcher, which has it.
    Holder,
    /// The API, and what it refuses it goes on to refuse until a person changes something.
    Api,
}

impl State {
    fn holds(&self) -> bool {
        matches!(self, Self::Held(until) if Instant::now() < *until)
    }
}

/// Another launcher works for the same peer, or it cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("this launcher may not act for the peer {peer}: {reason}")]
pub(crate) struct NotHeld {
    peer: String,
    reason: String,
    by: Denier,
}

impl NotHeld {
    /// Whether nobody has said no: the API could not be asked.
    pub(crate) fn is_passing(&self) -> bool {
        self.by == Denier::Nobody
    }

    /// Whether another launcher has it, which may be about to end.
    pub(crate) fn is_anothers(&self) -> bool {
        self.by == Denier::Holder
    }
}

impl Lease {
    /// Asks for the Lease, and renews it from then on.
    pub(crate) fn hold(ground: Arc<Ground>) -> Self {
        let (sender, state) = watch::channel(State::Asking);
        let keeper = Keeper { ground: Arc::clone(&ground), observed: None };
        Self { ground, state, task: tokio::spawn(keeper.keep(sender)) }
    }

    /// Waits until the Lease is held, at most until `limit`.
    pub(crate) async fn held(&self, limit: Duration) -> Result<(), NotHeld> {
        timeout(limit, self.gained()).await.map_err(|_| self.denial())
    }

    /// Waits until the Lease is held.
    pub(crate) async fn gained(&self) {
        let mut state = self.state.clone();
        if state.wait_for(State::holds).await.is_err() {
            // Nobody asks for it any more: the launcher is ending.
            std::future::pending::<()>().await;
        }
    }

    /// Whether the Lease is held: nobody else can have taken it.
    pub(crate) fn is_held(&self) -> bool {
        self.state.borrow().holds()
    }

    /// Does something that only a holder may do. What is not done when the Lease is lost is left,
    /// also in the middle of it.
    pub(crate) async fn act<T>(&self, act: impl Future<Output = T>) -> Result<T, NotHeld> {
        tokio::select! {
            biased;
            () = self.lost() => Err(self.denial()),
            outcome = act => Ok(outcome),
        }
    }

    /// Returns once the Lease is not held.
    async fn lost(&self) {
        let mut state = self.state.clone();
        loop {
            let until = match &*state.borrow_and_update() {
                State::Held(until) => *until,
                State::Asking | State::Denied(_) => return,
            };
            tokio::select! {
                () = sleep_until(until) => return,
                changed = state.changed() => if changed.is_err() {
                    return sleep_until(until).await;
                },
            }
        }
    }

    fn denial(&self) -> NotHeld {
        let denial = match &*self.state.borrow() {
            State::Denied(denial) => denial.clone(),
            State::Asking | State::Held(_) => {
                Denial { reason: "the Kubernetes API does not answer".into(), by: Denier::Nobody }
            }
        };
        let Denial { reason, by } = denial;
        NotHeld { peer: self.ground.peer.clone(), reason, by }
    }

    /// Gives the Lease back, so that the next launcher need not wait.
    pub(crate) async fn release(&self) {
        self.task.abort();
        if !self.is_held() {
            return;
        }
        let released = async {
            let api = self.ground.api::<LeaseObject>();
            let name = name(&self.ground.peer);
            let mut lease = call("read the lease", api.get(&name)).await?;
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() == Some(&identity(&self.ground.pod)) {
                spec.holder_identity = None;
                let parameters = PostParams::default();
                call("release the lease", api.replace(&name, &parameters, &lease)).await?;
            }
            Ok::<_, ApiFailure>(())
        };
        if !matches!(timeout(RELEASE, released).await, Ok(Ok(()))) {
            warn!("the lease could not be given back; it runs out by itself");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Keeper {
    ground: Arc<Ground>,
    /// What another holder last wrote, and when this launcher saw that for the
    /// first time: clocks of two machines are not compared.
    observed: Option<(LeaseSpec, Instant)>,
}

/// What is to be done about a Lease.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Take,
    Renew,
    Wait(String),
}

impl Keeper {
    async fn keep(mut self, state: watch::Sender<State>) {
        loop {
            let asked = Instant::now();
            let (next, pause) = match self.step().await {
                // From before it was asked for: it is dated when it is written.
                Ok(None) => (State::Held(asked + DEADLINE), INTERVAL),
                Ok(Some(reason)) => {
                    (State::Denied(Denial { reason, by: Denier::Holder }), INTERVAL)
                }
                Err(failure) => {
                    let is_outrun = failure.is_conflict() || failure.is_there_already();
                    let is_passing = failure.is_passing() || is_outrun;
                    let by = if is_passing { Denier::Nobody } else { Denier::Api };
                    let pause = if is_outrun { AGAIN } else { INTERVAL };
                    // Nobody can have taken it yet.
                    let held = state.borrow().clone();
                    let denied = State::Denied(Denial { reason: one_line(&failure), by });
                    (if held.holds() { held } else { denied }, pause)
                }
            };
            self.tell(&state.send_replace(next.clone()), &next);
            sleep(pause).await;
        }
    }

    fn tell(&self, was: &State, now: &State) {
        match (was, now) {
            (State::Held(until), State::Held(_)) if Instant::now() < *until => {}
            (_, State::Held(_)) => info!(peer = self.ground.peer, "lease is held"),
            (State::Held(_), State::Denied(Denial { reason, .. })) => {
                error!(reason, "lease was lost");
            }
            (was, State::Denied(Denial { reason, .. })) if was != now => {
                warn!(peer = self.ground.peer, reason, "waiting for the lease");
            }
            _ => {}
        }
    }

    /// Takes or renews the Lease; why that may not be, if another has it.
    async fn step(&mut self) -> Result<Option<String>, ApiFailure> {
        let api = self.ground.api::<LeaseObject>();
        let name = name(&self.ground.peer);
        let me = identity(&self.ground.pod);
        let parameters =
            PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        let Some(mut lease) = call("read the lease", api.get_opt(&name)).await? else {
            let mut lease = fresh(&self.ground, &name, &me);
            let owner = self.ground.owner().await?;
            lease.metadata.owner_references = owner.map(|owner| vec![owner]);
            call("create the lease", api.create(&parameters, &lease)).await?;
            return Ok(None);
        };
        let spec = lease.spec.get_or_insert_default();
        match self.judge(spec, &me, Instant::now()) {
            Step::Wait(holder) if self.exists(&holder).await => {
                return Ok(Some(format!(
                    "the launcher of the pod {holder} does, and holds the lease {name}; if that \
                     is another peer's, give each a name of its own (--peer-name)"
                )));
            }
            Step::Take | Step::Wait(_) => {
                spec.holder_identity = Some(me);
                spec.acquire_time = Some(now());
                spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0) + 1);
            }
            Step::Renew => {}
        }
        spec.lease_duration_seconds = Some(seconds(DURATION));
        spec.renew_time = Some(now());
        // Conflicts with whoever was quicker: the version read is the version replaced.
        call("renew the lease", api.replace(&name, &parameters, &lease)).await?;
        Ok(None)
    }

    fn judge(&mut self, spec: &LeaseSpec, me: &str, now: Instant) -> Step {
        let holder = match spec.holder_identity.as_deref() {
            None | Some("") => return Step::Take,
            Some(holder) if holder == me => return Step::Renew,
            Some(holder) => holder.to_owned(),
        };
        let since = match &self.observed {
            Some((known, since)) if known == spec => *since,
            _ => {
                self.observed = Some((spec.clone(), now));
                now
            }
        };
        if now.duration_since(since) >= DURATION { Step::Take } else { Step::Wait(holder) }
    }

    /// Whether the holder's pod is there; pods of other namespaces cannot be told.
    async fn exists(&self, holder: &str) -> bool {
        let mut parts = holder.splitn(3, '/');
        let (Some(namespace), Some(name), Some(uid)) = (parts.next(), parts.next(), parts.next())
        else {
            return true;
        };
        if namespace != self.ground.pod.peer.namespace {
            return true;
        }
        let api: Api<Pod> = Api::namespaced(self.ground.client.clone(), namespace);
        match call("read the holder's pod", api.get_opt(name)).await {
            Ok(pod) => pod.is_some_and(|pod| pod.metadata.uid.as_deref() == Some(uid)),
            Err(_) => true,
        }
    }
}

fn identity(pod: &OwnPod) -> String {
    format!("{}/{}/{}", pod.peer.namespace, pod.name, pod.uid)
}

fn name(peer: &str) -> String {
    format!("selvedge-{}-{}", slug(peer, 40), short_hash(&[peer]))
}

fn fresh(ground: &Ground, name: &str, me: &str) -> LeaseObject {
    LeaseObject {
        metadata: ObjectMeta {
            name: Some(name.into()),
            labels: Some(
                [
                    (MANAGED_BY.to_owned(), MANAGER.to_owned()),
                    (PEER.to_owned(), label_value(&ground.peer)),
                ]
                .into(),
            ),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(me.into()),
            acquire_time: Some(now()),
            renew_time: Some(now()),
            lease_duration_seconds: Some(seconds(DURATION)),
            ..LeaseSpec::default()
        }),
    }
}

fn now() -> MicroTime {
    MicroTime(Timestamp::now())
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
