//! A set of replicas takes the place of another one: since there are new settings, or since one of
//! several hangs and cannot be replaced alone.
//!
//! The new set is started beside the old one, which goes on. When as many of it as wanted are
//! registered, and have been for a while, the proxy gives the old ones nothing new; when these have
//! nothing in flight any more, they are ended. A new set that does not come up is ended, the old one
//! stays, and the new settings are tried again later. A set of which there are processes only while
//! they are called for takes over at once.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use selvedge_config::{Chaincode, Operator};
use selvedge_proto::launcher::{Reason, RunState};
use selvedge_proxy::{Credential, Proxy, ReplicaPlace, Security};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::cause::Cause;
use super::error::RunError;
use super::next::Next;
use super::scaling::Scaling;
use super::set::{Plan, Set};
use super::tally::Tally;
use crate::backend::{Meeting, ReplicaEvent};
use crate::backoff::doubled;
use crate::configuration::Configuration;
use crate::deadline::AGES;
use crate::error_chain::one_line;
use crate::run_log::RunLog;
use crate::standing::{SetStanding, known};

/// How long a new set must have been complete: one that ends at its first transaction, as for want of
/// memory, has shown itself by then.
const TRIED: Duration = Duration::from_secs(5);

/// The delay before settings with which the chaincode did not come up are tried again; it doubles.
const AGAIN: Duration = Duration::from_mins(1);

/// The longest such delay.
const AGAIN_LIMIT: Duration = Duration::from_mins(10);

/// The sets of a run.
pub(super) struct Succession {
    plan: Arc<Plan>,
    /// The one that there is.
    current: Set,
    /// What is to take its place.
    next: Next,
    /// Why.
    cause: Cause,
    /// When replicas were last replaced of which one hung.
    replaced: Option<Instant>,
    /// The replicas that are registered, by the proxy's numbers: those of a set that is just being
    /// started may be faster than the word that it was.
    registered: HashMap<u64, Registered>,
    /// The sets so far whose replicas come and go as they are called for.
    functions: HashSet<Credential>,
    /// The set that is being started.
    starting: JoinSet<Result<Set, RunError>>,
    /// What is to follow when there is a place for it: there are two.
    waiting: Option<Arc<Chaincode>>,
    /// That it did not come up.
    failure: Option<Failure>,
    /// Why what the operator's file says now cannot be followed.
    refused: Option<Reason>,
    /// Those that end.
    leaving: JoinSet<()>,
    /// Fires when a set that ends has nothing in flight any more.
    retired: HashMap<Credential, oneshot::Sender<()>>,
    configuration: Configuration,
}

/// A replica that is registered.
struct Registered {
    credential: Credential,
    place: ReplicaPlace,
}

/// That settings which still count have failed.
struct Failure {
    /// How often in a row.
    times: u32,
    /// When they are tried again.
    until: Instant,
    /// They may be tried now.
    is_over: bool,
    /// Why.
    reason: Reason,
}

/// What becomes of the replicas when their run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// They end with it.
    End,
    /// They stay for the run that follows, where they can.
    Stay,
}

/// What happens to a run's sets.
pub(super) enum Happening {
    /// To the replicas that there are.
    Current(ReplicaEvent),
    /// To those that are to take their place.
    Next(ReplicaEvent),
    /// Something else is in force.
    Configured(Arc<Operator>),
    /// A set was started, or could not be.
    Started(Result<Box<Set>, RunError>),
    /// The time has come for the next set to have come up, or to take over.
    Due,
    /// There may be a place for what waits.
    Room,
    /// It is time to look how much there is to do.
    Look,
}

impl Succession {
    /// With the first set, which the proxy is told of.
    pub(super) async fn begin(
        plan: Plan,
        first: Set,
        configuration: Configuration,
        proxy: &Proxy,
    ) -> Self {
        let on_demand = first.on_demand();
        let functions = on_demand.iter().map(|function| function.credential).collect();
        if on_demand.is_some() {
            proxy.set_on_demand(on_demand).await;
        }
        Self {
            plan: Arc::new(plan),
            current: first,
            functions,
            next: Next::None,
            cause: Cause::Settings,
            replaced: None,
            registered: HashMap::new(),
            starting: JoinSet::new(),
            waiting: None,
            failure: None,
            refused: None,
            leaving: JoinSet::new(),
            retired: HashMap::new(),
            configuration,
        }
    }

    /// Tells where the run stands. `mishap` is the last thing that went wrong with its replicas.
    pub(super) fn tell(&self, is_ready: bool, mishap: Option<&Reason>, tally: &Tally) {
        let (set, next) = (&self.current, self.next.set());
        let state = match (is_ready, &self.next) {
            (false, _) => RunState::Starting,
            (true, Next::None) => RunState::Ready,
            (true, _) => RunState::Changing,
        };
        let failed = self.failure.as_ref().map(|failure| &failure.reason);
        let hindered = next.and_then(Set::hindrance);
        let reasons = [set.hindrance(), hindered, failed, self.refused.as_ref(), mishap];
        let mut reasons: Vec<Reason> = reasons.into_iter().flatten().cloned().collect();
        reasons.sort_by_key(|reason| Reverse(reason.since));
        let lifted = set.lifted.iter().chain(next.into_iter().flat_map(|set| &set.lifted));
        let lifted: BTreeSet<String> = lifted.map(|lifted| lifted.allowance.to_string()).collect();
        self.plan.run.standing.is(|status| {
            status.place = Some(set.replicas.place());
            status.replicas_wanted = set.wanted.try_into().unwrap_or(u32::MAX);
            let most = set.settings.function().map_or(0, |function| function.max_replicas.get());
            status.function_processes = most.into();
            status.replicas_registered =
                self.registered(set.credential).try_into().unwrap_or(u32::MAX);
            status.set_state(state);
            status.lifted = lifted.into_iter().collect();
            status.reasons = reasons;
            tally.tell(status);
        });
        let sets = [Some(set), next].into_iter().flatten();
        let standing = |set: &Set| SetStanding {
            roll: set.replicas.roll(),
            registered: self.places(set.credential).collect(),
        };
        self.plan.run.standing.has_sets(sets.map(standing).collect());
    }

    /// The set that there is.
    pub(super) fn current(&mut self) -> &mut Set {
        &mut self.current
    }

    /// The set that is to take its place, once there is one.
    pub(super) fn next(&mut self) -> Option<&mut Set> {
        self.next.set_mut()
    }

    /// Whether replicas with this credential are to take the others' place.
    fn is_next(&self, credential: Credential) -> bool {
        self.next.set().is_some_and(|set| set.credential == credential)
    }

    /// How replicas that listen are dialled.
    pub(super) fn security(&self) -> Option<Security> {
        self.plan.run.security()
    }

    /// What happens next. New settings are of no concern before a launch has come to its end.
    pub(super) async fn happens(&mut self, is_ready: bool) -> Happening {
        let due = match &self.next {
            Next::Coming(_, due) | Next::Tried(_, due) => Some(*due),
            Next::None | Next::Starting(_) => None,
        };
        let held_back = self.failure.as_ref().filter(|failure| !failure.is_over);
        let again = held_back.filter(|_| self.has_room()).map(|failure| failure.until);
        let look = self.current.scaling.as_ref().map(Scaling::next_look);
        let event = async {
            match self.next.set_mut() {
                Some(set) => set.replicas.next_event().await,
                None => pending().await,
            }
        };
        tokio::select! {
            Some(event) = self.current.replicas.next_event() => Happening::Current(event),
            Some(event) = event => Happening::Next(event),
            operator = self.configuration.changed(), if is_ready => Happening::Configured(operator),
            Some(started) = self.starting.join_next() => Happening::Started(match started {
                Ok(started) => started.map(Box::new),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Happening::Due,
            () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {
                self.failure.iter_mut().for_each(|failure| failure.is_over = true);
                Happening::Room
            }
            () = sleep_until(look.unwrap_or_else(Instant::now)), if look.is_some() => Happening::Look,
            Some(_) = self.leaving.join_next() => Happening::Room,
            else => pending().await,
        }
    }

    /// How many replicas with this credential are registered.
    fn registered(&self, credential: Credential) -> usize {
        self.places(credential).count()
    }

    /// Which of their set they are.
    fn places(&self, credential: Credential) -> impl Iterator<Item = ReplicaPlace> {
        let all = self.registered.values();
        let its = all.filter(move |registered| registered.credential == credential);
        its.map(|registered| registered.place)
    }

    /// A replica has registered.
    pub(super) fn joined(&mut self, replica: u64, credential: Credential, place: ReplicaPlace) {
        self.registered.insert(replica, Registered { credential, place });
        self.met(credential, place, Meeting::Joined);
        self.set_unreached(credential, None);
        self.try_next();
    }

    /// One that listens is not reached, for this reason, or one is there.
    pub(super) fn set_unreached(&mut self, credential: Credential, reason: Option<&str>) {
        let sets = self.next.set_mut().into_iter().chain([&mut self.current]);
        for set in sets.filter(|set| set.credential == credential) {
            set.unreached = reason.map(known);
        }
    }

    /// A replica is not registered, or no more; whether it is one of those that are to take over.
    pub(super) fn left(&mut self, replica: u64, credential: Credential, how: Meeting) -> bool {
        if let Some(Registered { place, .. }) = self.registered.remove(&replica) {
            self.met(credential, place, how);
        }
        self.is_next(credential)
    }

    /// Whether replicas with this credential are there to stay.
    pub(super) fn stay(&self, credential: Credential) -> bool {
        !self.functions.contains(&credential)
    }

    /// So many replicas with this credential are wanted.
    pub(super) fn want(&mut self, credential: Credential, processes: usize) {
        if self.current.credential == credential {
            self.current.wanted = processes;
            self.current.replicas.want(processes);
        }
    }

    /// Somebody else has said that so many replicas are wanted.
    pub(super) fn scaled(&mut self, number: usize) {
        info!(number, "replicas are scaled by another hand");
        self.current.wanted = number;
        self.plan.bequeath(&self.current);
    }

    /// So many transactions are there.
    pub(super) fn looked(&mut self, transactions: usize) {
        let Some(scaling) = &mut self.current.scaling else { return };
        let Some(wanted) = scaling.looked(transactions, Instant::now()) else { return };
        info!(wanted, "the number of replicas follows what there is to do");
        self.current.wanted = wanted;
        self.current.replicas.want(wanted);
        self.plan.bequeath(&self.current);
    }

    fn met(&self, credential: Credential, place: ReplicaPlace, meeting: Meeting) {
        if let Some(set) = self.set_of(credential) {
            set.replicas.met(place, meeting);
        }
    }

    /// The set that there is, or the one that is to take its place, if this is its credential.
    fn set_of(&self, credential: Credential) -> Option<&Set> {
        let sets = [Some(&self.current), self.next.set()];
        sets.into_iter().flatten().find(|set| set.credential == credential)
    }

    /// Whether this replica alone is replaced if it hangs.
    pub(super) fn replaces_one(&self, replica: u64) -> bool {
        let registered = self.registered.get(&replica);
        registered.is_some_and(|Registered { credential, place }| {
            self.set_of(*credential).is_some_and(|set| set.replicas.replaces_one(*place))
        })
    }

    /// Lets the next set be tried once as many as wanted of it are registered.
    fn try_next(&mut self) {
        if let Next::Coming(set, _) = &self.next
            && self.registered(set.credential) >= set.wanted
            && let Some(set) = self.next.take()
        {
            self.next = Next::Tried(set, Instant::now() + TRIED);
        }
    }

    /// A set has nothing in flight any more.
    pub(super) fn retired(&mut self, credential: Credential) {
        if let Some(told) = self.retired.remove(&credential) {
            // Who does not listen has ended already.
            let _ = told.send(());
        }
    }

    /// Takes up what is in force now.
    pub(super) async fn configured(&mut self, operator: &Operator, proxy: &Proxy, log: &RunLog) {
        let settings = match self.plan.run.settings(operator, self.plan.works.backend.as_ref()) {
            Ok(settings) => settings,
            Err(faults) => {
                self.refused = Some(known(&format!("its new settings are refused: {faults}")));
                warn!(%faults, "the new settings are refused");
                log.line(format!("its new settings are refused, it runs on as before: {faults}"));
                return;
            }
        };
        self.refused = None;
        let wanted = self.waiting.as_ref().or(self.next.settings());
        let differences = wanted.unwrap_or(&self.current.settings).differences(&settings);
        if differences.is_empty() {
            return;
        }
        info!(?differences, "the chaincode has new settings");
        log.line(format!("it has new settings: {}", differences.join("; ")));
        proxy.set_replay(settings.replay).await;
        (self.waiting, self.failure, self.cause) = (None, None, Cause::Settings);
        if let Some(set) = self.next.set_mut().filter(|set| set.settings.runs_as(&settings)) {
            set.settings = settings;
            return;
        }
        if let Some(set) = self.next.take() {
            self.dismiss(*set, proxy, log).await;
        }
        if self.current.settings.runs_as(&settings) {
            self.current.settings = settings;
        } else {
            self.waiting = Some(settings);
            self.go_on();
        }
    }

    /// One of the replicas hangs, and others do not: new ones are to take over from all of them. What
    /// is to take over already does so for this, too.
    pub(super) fn replace(&mut self, log: &RunLog) {
        if !self.has_room() || self.waiting.is_some() {
            return;
        }
        self.cause = Cause::Hang;
        let settings = Arc::clone(&self.current.settings);
        if self.replaced.is_some_and(|last| last.elapsed() < AGAIN) {
            self.try_again_later(settings, "one hangs again", log);
        } else {
            info!("one of the replicas hangs, all are replaced");
            self.waiting = Some(settings);
            self.go_on();
        }
    }

    /// Whether nothing has the place beside the current set.
    fn has_room(&self) -> bool {
        matches!(self.next, Next::None) && self.starting.is_empty() && self.leaving.is_empty()
    }

    /// Starts what waits for a place, if there is one.
    pub(super) fn go_on(&mut self) {
        let is_held_back = self.failure.as_ref().is_some_and(|failure| !failure.is_over);
        if is_held_back || !self.has_room() {
            return;
        }
        let Some(settings) = self.waiting.take() else { return };
        self.next = Next::Starting(Arc::clone(&settings));
        let (plan, number) = (Arc::clone(&self.plan), self.current.number + 1);
        let before = self.current.wanted;
        self.starting.spawn(async move { plan.start(settings, number, before).await });
    }

    /// A set was started, which may not be wanted any more.
    pub(super) async fn started(
        &mut self,
        started: Result<Box<Set>, RunError>,
        proxy: &Proxy,
        log: &RunLog,
    ) {
        let is_wanted = matches!(self.next, Next::Starting(_));
        match started {
            Ok(set) if is_wanted => {
                let limit = set.settings.timeouts.start.duration().min(AGES);
                let is_called_for = set.on_demand().is_some();
                // They were faster than the word that the set was started.
                let own = self.registered.values().filter(|one| one.credential == set.credential);
                own.for_each(|one| set.replicas.met(one.place, Meeting::Joined));
                self.next = Next::Coming(set, Instant::now() + limit);
                if is_called_for {
                    self.succeed(proxy, log).await;
                } else {
                    self.try_next();
                }
            }
            Ok(set) => self.dismiss(*set, proxy, log).await,
            Err(error) => {
                if let Next::Starting(settings) = std::mem::replace(&mut self.next, Next::None) {
                    self.try_again_later(settings, &one_line(&error), log);
                }
            }
        }
        self.go_on();
    }

    /// The next set takes over, or has had its time.
    pub(super) async fn due(&mut self, proxy: &Proxy, log: &RunLog) {
        if matches!(self.next, Next::Tried(..)) {
            self.succeed(proxy, log).await;
        } else {
            self.give_up(None, proxy, log).await;
        }
    }

    /// Lets the old set stay, since the new one does not come up.
    pub(super) async fn give_up(&mut self, reason: Option<String>, proxy: &Proxy, log: &RunLog) {
        let Some(set) = self.next.take() else { return };
        let reason = reason
            .or_else(|| set.hindrance().map(|hindrance| hindrance.text.clone()))
            .unwrap_or_else(|| {
                let (limit, wanted) = (set.settings.timeouts.start, set.wanted);
                let registered = self.registered(set.credential);
                format!(
                    "{registered} of {wanted} registered within {limit} (chaincode.timeouts.start)"
                )
            });
        self.try_again_later(Arc::clone(&set.settings), &reason, log);
        self.dismiss(*set, proxy, log).await;
    }

    /// Something keeps the new set from being started for a while.
    pub(super) fn delay_next(&mut self, reason: Option<&str>) {
        if let Some(set) = self.next.set_mut() {
            set.delayed = reason.map(known);
        }
    }

    fn try_again_later(&mut self, settings: Arc<Chaincode>, reason: &str, log: &RunLog) {
        let times = self.failure.as_ref().map_or(0, |failure| failure.times);
        let delay = doubled(AGAIN, times, AGAIN_LIMIT);
        let minutes = delay.as_secs() / 60;
        let failure = self.cause.failure();
        warn!(reason, minutes, "{failure}");
        let told = format!("{failure}: {reason}; trying again in {minutes} min");
        let (until, reason) = (Instant::now() + delay, known(&told));
        log.line(told);
        self.failure = Some(Failure { times: times + 1, until, is_over: false, reason });
        self.waiting = Some(settings);
    }

    /// The new set is there: the old one goes.
    async fn succeed(&mut self, proxy: &Proxy, log: &RunLog) {
        let Some(set) = self.next.take() else { return };
        let old = std::mem::replace(&mut self.current, *set);
        self.plan.bequeath(&self.current);
        let on_demand = self.current.on_demand();
        self.functions.extend(on_demand.iter().map(|function| function.credential));
        proxy.set_on_demand(on_demand).await;
        self.failure = None;
        if self.cause == Cause::Hang {
            self.replaced = Some(Instant::now());
        }
        let success = self.cause.success();
        info!("{success}");
        log.line(success.to_owned());
        self.dismiss(old, proxy, log).await;
    }

    /// Has a set finish what it has in flight, and ends it then.
    async fn dismiss(&mut self, mut set: Set, proxy: &Proxy, log: &RunLog) {
        if set.on_demand().is_some() {
            // What would come from now on would come in vain.
            set.replicas.want(0);
        }
        let (told, mut is_retired) = oneshot::channel();
        self.retired.insert(set.credential, told);
        let limit = self.current.drain();
        proxy.retire(set.credential, limit).await;
        let log = log.clone();
        self.leaving.spawn(async move {
            loop {
                tokio::select! {
                    _ = &mut is_retired => break,
                    Some(event) = set.replicas.next_event() => {
                        match event {
                            ReplicaEvent::Wrote { replica, line } => {
                                info!(target: "chaincode", line);
                                log.written(&replica, line);
                            }
                            ReplicaEvent::Line(line) => {
                                info!(target: "chaincode", line);
                                log.line(line);
                            }
                            _ => {}
                        }
                    }
                }
            }
            set.replicas.discard().await;
        });
    }

    /// Ends all sets, or all but the one that there is; the proxy has ended.
    pub(super) async fn end(mut self, parting: Parting) {
        // Who ends waits for the proxy no more.
        self.retired.clear();
        let next = async {
            if let Some(set) = self.next.take() {
                set.replicas.discard().await;
            }
            // One that is not started yet is dropped, and with it what there is of it.
            self.starting.shutdown().await;
        };
        let leaving = async { while self.leaving.join_next().await.is_some() {} };
        let (replicas, plan) = (self.current.replicas, self.plan);
        let current = async {
            match parting {
                Parting::Stay => replicas.leave().await,
                Parting::End => {
                    plan.bequeath_nothing();
                    replicas.stop().await;
                }
            }
        };
        tokio::join!(current, next, leaving);
    }
}

#[cfg(test)]
mod tests;
