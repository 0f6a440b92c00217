//! One run of a chaincode in the cluster: applied, kept as it was applied, watched,
//! and scaled to zero at its end.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use selvedge_config::{Execution, ScaledBy};
use selvedge_manifest::baseline::Lifted;
use selvedge_manifest::{CREDENTIALS, GENERATION, INSTANCE};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::dispute::Disputes;
use super::followed_logs::FollowedLogs;
use super::function::{Function, FunctionWords};
use super::lease::NotHeld;
use super::leavers::Leavers;
use super::listeners::Listeners;
use super::objects::{ApplyError, Objects, scale_to_zero};
use super::observed::find;
use super::order::Order;
use super::place::Place;
use super::pod_presence::present;
use super::trouble::{self, Scene, TroubleKind};
use crate::backend::{Beginning, DISCONNECTED, ReplicaEvent, ReplicaExit};
use crate::deadline::AGES;
use crate::error_chain::one_line;
use crate::roll::Roll;

/// How long an earlier launcher of the same peer may take to be gone.
const LEASE: Duration = Duration::from_secs(30);

/// How long the watches may take before it is said that they do.
const WATCHES: Duration = Duration::from_secs(5);

/// The delay before something that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What the end may take: with the drain it stays below the peer's 5 s.
const END: Duration = Duration::from_millis(1500);

/// For how long after its beginning a run takes what befalls pods that an earlier one has left for the
/// loss of that, and makes them anew.
const RETURN: Duration = Duration::from_secs(30);

/// What becomes of a run's objects.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// They are kept, scaled to zero, for the next start.
    Keep,
    /// They are kept as they are, for the run that follows if one does soon.
    Leave,
    /// They are deleted.
    Discard,
}

/// How much of the objects is applied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    All,
    /// The number of pods alone.
    Size,
}

/// One run.
pub(super) struct Run {
    order: Order,
    events: mpsc::Sender<ReplicaEvent>,
    objects: Objects,
    /// Since when what runs is of no use.
    disconnected: watch::Receiver<Option<SystemTime>>,
    /// Which of this run's pods are wanted: a new number makes the Deployment replace them.
    generation: u32,
    begun: Timestamp,
    /// The pods that an earlier run has left, by UID, as long as they are those that are wanted.
    taken_up: Vec<String>,
    logs: FollowedLogs,
    disputes: Disputes,
    /// Where pods listen that are dialled.
    listeners: Listeners,
    /// Which pods are to go.
    leavers: Leavers,
    /// How many are wanted, if they are there to stay.
    wanted: watch::Receiver<usize>,
    /// How many somebody else wants, who may say so.
    scaled: Option<u16>,
    /// Those that run the chaincode on demand, if they do.
    function: Option<Function>,
    /// The last end that was told of each pod, by UID.
    ended: HashMap<String, String>,
    /// What was last told, while it lasts.
    trouble: Option<TroubleKind>,
    /// What keeps the pods from being started or seen, and passes by itself.
    delay: Option<String>,
    /// Something may have been applied, even if no answer came.
    attempted: bool,
    /// What was told of as lifted.
    lifted: Vec<Lifted>,
    /// Where is said which pods there are.
    roll: Roll,
}

/// Why the objects were not applied.
#[derive(Debug, thiserror::Error)]
enum Unapplied {
    #[error(transparent)]
    NotHeld(#[from] NotHeld),
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl Run {
    /// One that has not begun. What happens goes to `events`.
    pub(super) fn new(
        order: Order,
        events: mpsc::Sender<ReplicaEvent>,
        disconnected: watch::Receiver<Option<SystemTime>>,
        wanted: watch::Receiver<usize>,
    ) -> Self {
        let logs = FollowedLogs::new(Arc::clone(&order.place.ground), events.clone());
        let (port, ends) = (order.plan.port, logs.last_ends());
        Self {
            function: Function::of(&order.settings, port, events.clone(), ends),
            logs,
            order,
            events,
            objects: Objects::default(),
            disconnected,
            wanted,
            scaled: None,
            disputes: Disputes::default(),
            generation: 1,
            begun: Timestamp::now(),
            taken_up: Vec::new(),
            listeners: Listeners::default(),
            leavers: Leavers::default(),
            ended: HashMap::new(),
            trouble: None,
            delay: None,
            attempted: false,
            lifted: Vec::new(),
            roll: Roll::default(),
        }
    }

    /// By whom the proxy's words are passed on, if the chaincode is run on demand.
    pub(super) fn function_words(&self) -> Option<FunctionWords> {
        self.function.as_ref().map(Function::words)
    }

    /// Where it says which pods there are.
    pub(super) fn roll(&self) -> Roll {
        self.roll.clone()
    }

    /// Runs the replicas until they are to end, and ends them.
    pub(super) async fn supervise(mut self, ended: oneshot::Receiver<End>) {
        let end = tokio::select! {
            () = self.follow() => End::Keep,
            end = ended => end.unwrap_or(End::Keep),
        };
        self.end(end).await;
    }

    /// Never returns by itself.
    async fn follow(&mut self) {
        self.prepare().await;
        if self.order.beginning == Beginning::TakenUp {
            self.take_up();
        }
        self.apply(Extent::All).await;
        let mut changes = self.order.place.observed.changes();
        loop {
            self.heed_autoscaler().await;
            let due = self.put_right().await;
            self.look().await;
            let unseen = self.order.place.observed.failure().filter(|_| self.logs.is_empty());
            self.set_delay(unseen).await;
            tokio::select! {
                () = changes.next() => {}
                // What was changed in the meantime is seen already.
                () = self.order.place.lease.gained(), if !self.order.place.lease.is_held() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                Ok(()) = self.disconnected.changed() => self.replace_disconnected().await,
                () = resized(&mut self.function, &mut self.wanted) => self.apply(Extent::Size).await,
            }
        }
    }

    /// Waits for what every run needs.
    async fn prepare(&mut self) {
        self.await_lease().await;
        let observed = Arc::clone(&self.order.place.observed);
        let mut ready = std::pin::pin!(observed.ready());
        while timeout(WATCHES, &mut ready).await.is_err() {
            let reason = observed.failure();
            let reason = reason.unwrap_or_else(|| "the Kubernetes API does not answer".into());
            if self.order.beginning.is_first() {
                self.trouble(reason).await;
            } else {
                // A namespace that was not looked at before; nobody waits for an answer.
                self.set_delay(Some(reason)).await;
            }
        }
    }

    /// Goes on with the pods that an earlier run has left. What befell them before is told already.
    fn take_up(&mut self) {
        let observed = Arc::clone(&self.order.place.observed);
        let name = &self.order.identity.name;
        let own = observed.pods.state_filter(|pod| {
            pod.labels().get(INSTANCE) == Some(name)
                && self.is_own(pod.annotations().get(CREDENTIALS))
                && trouble::has_started(pod)
                && !trouble::is_over(pod)
        });
        for pod in &own {
            let Some(uid) = pod.uid() else { continue };
            // They are the wanted ones under their own number.
            let number = pod.annotations().get(GENERATION).and_then(|text| text.parse().ok());
            self.generation = self.generation.max(number.unwrap_or(1));
            if let Some(end) = trouble::ended(pod) {
                self.ended.insert(uid.clone(), end.container);
            }
            self.logs.take_up(pod, self.begun);
            self.taken_up.push(uid);
        }
        info!(pods = self.taken_up.len(), "goes on with pods that are there");
    }

    /// Whether what befalls the pods may come of the loss of an earlier run.
    fn is_taking_up(&self) -> bool {
        let begun = SystemTime::from(self.begun);
        !self.taken_up.is_empty() && begun.elapsed().is_ok_and(|elapsed| elapsed < RETURN)
    }

    /// Has the Deployment replace the pods.
    async fn replace(&mut self) {
        self.generation += 1;
        self.taken_up.clear();
        self.apply(Extent::All).await;
    }

    /// Waits until this launcher may act for its peer.
    async fn await_lease(&mut self) {
        let begun = Instant::now();
        let mut is_told = false;
        while let Err(denied) = self.order.place.lease.held(WATCHES).await {
            let reason = one_line(&denied);
            if denied.is_passing() {
                self.set_delay(Some(reason)).await;
            } else if !is_told && (!denied.is_anothers() || begun.elapsed() >= LEASE) {
                is_told = true;
                self.trouble(reason).await;
            }
        }
        self.set_delay(None).await;
    }

    /// Applies the objects, as often as it takes.
    async fn apply(&mut self, extent: Extent) {
        self.attempted = true;
        let mut told = None;
        loop {
            let failure = match self.apply_once(extent).await {
                Ok(lifted) => {
                    self.tell_of(lifted).await;
                    return self.set_delay(None).await;
                }
                Err(Unapplied::NotHeld(_)) => {
                    self.await_lease().await;
                    continue;
                }
                Err(Unapplied::Apply(failure)) => failure,
            };
            let reason = one_line(&failure);
            if failure.is_passing() {
                self.set_delay(Some(reason)).await;
            } else if told.as_ref() != Some(&reason) {
                told = Some(reason.clone());
                self.trouble(reason).await;
            }
            sleep(AGAIN).await;
        }
    }

    /// Says what of the pods' security the operator has lifted, once.
    async fn tell_of(&mut self, lifted: Vec<Lifted>) {
        if self.lifted != lifted {
            self.lifted.clone_from(&lifted);
            self.tell(ReplicaEvent::Lifted(lifted)).await;
        }
    }

    async fn set_delay(&mut self, delay: Option<String>) {
        if self.delay != delay {
            self.delay.clone_from(&delay);
            self.tell(ReplicaEvent::Delayed(delay)).await;
        }
    }

    async fn apply_once(&mut self, extent: Extent) -> Result<Vec<Lifted>, Unapplied> {
        let order = &self.order;
        let wanted = u16::try_from(*self.wanted.borrow_and_update()).unwrap_or(u16::MAX);
        let of_function = self.function.as_mut().map(Function::pods);
        let pods = of_function.or(self.scaled).unwrap_or(wanted);
        let owner = order.place.ground.owner().await.map_err(ApplyError::from)?;
        let blueprint = order.blueprint(self.generation, pods, owner.as_ref());
        // Boxed: five calls are in it, and several tasks hold it.
        let applying = Box::pin(async {
            match extent {
                Extent::All => self.objects.apply(&order.place.ground, &blueprint).await,
                Extent::Size => self.objects.resize(&order.place.ground, &blueprint).await,
            }
        });
        Ok(order.place.lease.act(applying).await??)
    }

    /// Takes over the number of pods that somebody else wants, if it is theirs to say.
    async fn heed_autoscaler(&mut self) {
        let settings = &self.order.settings;
        let Execution::Service { replicas, most } = settings.execution() else { return };
        if settings.scaling.by != ScaledBy::Autoscaler || !self.order.place.lease.is_held() {
            return;
        }
        let number = self.objects.scaled(&self.order.place.observed, &self.order.identity);
        let Some(number) = number.map(|number| number.clamp(replicas, most)) else { return };
        self.scaled = Some(number);
        self.apply(Extent::Size).await;
        self.tell(ReplicaEvent::Scaled(number.into())).await;
    }

    /// Applies again what someone else changed, and says so. Returns when there will be more to
    /// put right, if what there is must wait.
    async fn put_right(&mut self) -> Option<Instant> {
        // The hand of the peer's next launcher is not another's.
        if !self.order.place.lease.is_held() {
            return None;
        }
        let departures = self.objects.departures(&self.order.place.observed, &self.order.identity);
        let due = departures.iter().map(|departure| self.disputes.due(departure)).min()?;
        if due > Instant::now() {
            return Some(due);
        }
        warn!(?departures, "the chaincode's objects are put right");
        self.apply(Extent::All).await;
        for departure in &departures {
            if let Some(line) = self.disputes.put_right(departure) {
                self.tell(ReplicaEvent::Line(line)).await;
            }
        }
        None
    }

    /// Looks at the pods: follows their logs, tells how they ended and what they lack.
    async fn look(&mut self) {
        let observed = Arc::clone(&self.order.place.observed);
        let name = self.order.identity.name.clone();
        let all = observed.pods.state_filter(|pod| pod.labels().get(INSTANCE) == Some(&name));
        let (own, others): (Vec<_>, Vec<_>) =
            all.iter().partition(|pod| self.is_own(pod.annotations().get(CREDENTIALS)));
        let own: Vec<&Pod> = own.into_iter().map(AsRef::as_ref).collect();
        let there: Vec<String> = own.iter().filter_map(|pod| pod.uid()).collect();
        self.roll.set(own.iter().copied().filter_map(present));
        self.logs.retain(&there);
        self.ended.retain(|uid, _| there.contains(uid));
        if let Some(function) = &mut self.function {
            function.see(&own);
        }
        // Of a function those are dialled that have been started.
        let port = self.order.plan.port.filter(|_| self.function.is_none());
        let listening = self.listeners.seen(&own, port);
        for event in listening.into_iter().chain(self.leavers.seen(&own)) {
            self.tell(event).await;
        }
        for pod in &own {
            self.logs.follow(pod);
            self.tell_end(pod).await;
        }

        let sets = observed.replica_sets.state_filter(|set| {
            let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
            let annotations = template
                .and_then(|template| template.metadata.as_ref())
                .and_then(|metadata| metadata.annotations.as_ref());
            self.is_own(annotations.and_then(|annotations| annotations.get(CREDENTIALS)))
        });
        let deployment = find(&observed.deployments, &self.order.identity);
        let warnings = observed.warnings.state();
        let found = trouble::trouble(&Scene {
            deployment: deployment.as_deref(),
            replica_sets: &sets.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
            pods: &own,
            others_leaving: !others.is_empty() || own.iter().any(|pod| trouble::is_over(pod)),
            warnings: &warnings.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
        });
        let kind = found.as_ref().map(|found| found.kind);
        if kind != self.trouble
            && let Some(found) = found
        {
            let lacks = matches!(found.kind, TroubleKind::Sandbox | TroubleKind::Container);
            if lacks && self.order.place.lease.is_held() {
                // The Secret may be missing, which no watch tells.
                self.apply(Extent::All).await;
            }
            if self.is_taking_up() && found.kind == TroubleKind::Crash {
                warn!(reason = found.reason, "pods that an earlier run has left are made anew");
                return self.replace().await;
            }
            self.trouble(found.reason).await;
        }
        self.trouble = kind;
        if kind.is_none()
            && let Some(function) = &mut self.function
        {
            function.hinder(None);
        }
    }

    /// Has the Deployment replace the pods, if there is one that lost its connection and runs on.
    async fn replace_disconnected(&mut self) {
        let Some(since) = *self.disconnected.borrow_and_update() else { return };
        let name = &self.order.identity.name;
        let hangs = |pod: &Pod| {
            pod.labels().get(INSTANCE) == Some(name)
                && self.is_own(pod.annotations().get(CREDENTIALS))
                // One that is to go is replaced already.
                && pod.metadata.deletion_timestamp.is_none()
                && self.logs.runs_since(pod).is_some_and(|begun| begun + trouble::RESOLUTION < since)
        };
        if !self.order.place.lease.is_held() || self.order.place.observed.pods.find(hangs).is_none()
        {
            return;
        }
        let is_taking_up = self.is_taking_up();
        self.replace().await;
        if is_taking_up {
            let line = "pods that an earlier run has left do not come back, and are made anew";
            return self.tell(ReplicaEvent::Line(line.to_owned())).await;
        }
        let exit = ReplicaExit { status: DISCONNECTED.to_owned(), last_lines: Vec::new() };
        self.tell(ReplicaEvent::Exited(exit)).await;
    }

    fn is_own(&self, credentials: Option<&String>) -> bool {
        credentials == Some(&self.order.credentials)
    }

    async fn tell_end(&mut self, pod: &Pod) {
        let (Some(uid), Some(mut end)) = (pod.uid(), trouble::ended(pod)) else {
            return;
        };
        // A pod that the Deployment took away ends because of that.
        if pod.metadata.deletion_timestamp.is_some() || self.ended.get(&uid) == Some(&end.container)
        {
            return;
        }
        let is_from_before = self.is_taking_up() && self.taken_up.contains(&uid);
        self.ended.insert(uid.clone(), end.container.clone());
        if is_from_before {
            return;
        }
        if let Some(lines) = self.logs.last_lines(pod, &end).await {
            end.exit.last_lines = lines;
        }
        match &self.function {
            Some(function) => function.ended(uid, end.exit),
            None => self.tell(ReplicaEvent::Exited(end.exit)).await,
        }
    }

    /// None can run, and is not expected to soon, for this reason. Of a function others may.
    async fn trouble(&mut self, reason: String) {
        match &mut self.function {
            Some(function) => function.hinder(Some(reason)),
            None => self.tell(ReplicaEvent::Trouble(reason)).await,
        }
    }

    async fn tell(&self, event: ReplicaEvent) {
        // Nobody listens any more once the run is to end.
        let _ = self.events.send(event).await;
    }

    /// Ends the pods, or leaves them. Objects that are kept make the next start an update.
    async fn end(self, end: End) {
        let adopt = self.order.settings.timeouts.adopt.duration().min(AGES);
        match end {
            End::Leave => self.order.adoption.await_next(Instant::now() + adopt),
            End::Keep if self.is_scaled().await => {}
            End::Keep => self.order.adoption.leave_running(),
            // The pods may take longer to end than who waits here has.
            End::Discard => {
                self.is_scaled().await;
                self.order.adoption.discard();
            }
        }
    }

    /// Whether no pods are wanted any more.
    async fn is_scaled(&self) -> bool {
        !self.attempted || self.scale_to_zero().await
    }

    async fn scale_to_zero(&self) -> bool {
        let Order { place: Place { ground, lease, .. }, identity, .. } = &self.order;
        let scaled = lease.act(scale_to_zero(ground, &identity.name));
        let reason = match timeout(END, scaled).await {
            Ok(Ok(Ok(()))) => return true,
            Ok(Ok(Err(failure))) => one_line(&failure),
            Ok(Err(denied)) => one_line(&denied),
            Err(_) => "the Kubernetes API does not answer".to_owned(),
        };
        warn!(reason, "cannot scale to zero, trying again");
        false
    }
}

/// Returns when another number of pods is wanted.
async fn resized(function: &mut Option<Function>, wanted: &mut watch::Receiver<usize>) {
    let is_over = match function {
        Some(function) => return function.resized().await,
        None => wanted.changed().await.is_err(),
    };
    if is_over {
        // Nobody is left to say so.
        pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
