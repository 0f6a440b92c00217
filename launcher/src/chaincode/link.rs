//! A chaincode's two sides while it runs: the proxy with the peer's stream, and the replicas.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use selvedge_manifest::baseline::Lifted;
use selvedge_proto::launcher::Reason;
use selvedge_proxy::{Credential, Event, Fates, Notice, Origin, Proxy, Target};
use tokio::time::{sleep_until, timeout};
use tracing::{debug, info, warn};

use super::error::{Preparation, RunError};
use super::succession::{Happening, Parting, Succession};
use super::tally::Tally;
use crate::backend::{Beginning, Meeting, ReplicaEvent, ReplicaExit};
use crate::deadline::{LaunchDeadline, TELLING};
use crate::desertion::Desertion;
use crate::run_log::RunLog;
use crate::standing::known;
use crate::stop::Stop;

/// What transactions in flight get to finish when a chaincode is stopped: with
/// what the replicas get to end, it stays below the 5 s after which a peer kills.
const DRAIN: Duration = Duration::from_millis(1500);

/// What the peer gets to end its side of the link.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long a replica's exit waits for the proxy's view of it, which may be the cause.
const EXIT_CAUSE: Duration = Duration::from_millis(100);

/// A run's proxy and replicas.
pub(super) struct Link<'a> {
    proxy: Proxy,
    succession: Succession,
    log: &'a RunLog,
    ready: bool,
    /// The link to the peer has ended.
    over: bool,
    /// Whether any replica is connected.
    desertion: Desertion,
    /// The last thing that went wrong with a replica.
    mishap: Option<Reason>,
    tally: Tally,
}

impl<'a> Link<'a> {
    pub(super) fn new(
        proxy: Proxy,
        mut succession: Succession,
        log: &'a RunLog,
        start_limit: Duration,
    ) -> Self {
        let mut desertion = Desertion::new(start_limit);
        let first = succession.current();
        // Nobody misses those that are there while they are called for.
        if first.beginning == Beginning::TakenUp && first.on_demand().is_none() {
            desertion.expects_return();
        }
        Self {
            proxy,
            succession,
            log,
            ready: false,
            over: false,
            desertion,
            mishap: None,
            tally: Tally::default(),
        }
    }

    /// Whether the peer has taken the chaincode as ready.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    pub(super) async fn supervise(
        &mut self,
        stop: &Stop,
        deadline: LaunchDeadline,
        preparation: Preparation,
    ) -> Result<String, RunError> {
        let mut too_late = std::pin::pin!(sleep_until(deadline.until()));
        loop {
            self.succession.tell(self.ready, self.mishap.as_ref(), &self.tally);
            tokio::select! {
                notice = self.proxy.next_event() => {
                    if let Some(end) = self.on_proxy(notice).await {
                        return end;
                    }
                }
                happening = self.succession.happens(self.ready) => self.on_sets(happening).await?,
                since = self.desertion.lasts_too_long() => {
                    self.succession.current().replicas.replace_disconnected(since);
                }
                () = stop.told() => return Ok("it was asked to stop".into()),
                () = &mut too_late, if !self.ready => {
                    let limit = deadline.limit();
                    return Err(match self.succession.current().hindrance() {
                        Some(Reason { text, .. }) => {
                            RunError::NeverStarted { limit, preparation, reason: text.clone() }
                        }
                        None => RunError::NeverRegistered { limit, preparation },
                    });
                }
            }
        }
    }

    /// Takes a proxy's event; the run's outcome when the run is over.
    async fn on_proxy(&mut self, notice: Option<Notice>) -> Option<Result<String, RunError>> {
        let Some(Notice { at, event }) = notice else {
            self.over = true;
            return Some(Err(RunError::Peer("the shim proxy ended".into())));
        };
        match event {
            Event::Ready => {
                info!("the peer takes the chaincode as ready");
                self.ready = true;
                self.log.ready();
            }
            Event::ReplicaReady { replica, credential, place } => {
                info!(replica, "replica is ready");
                self.tally.started();
                if self.succession.stay(credential) {
                    self.desertion.joined(replica, credential, at);
                }
                self.succession.joined(replica, credential, place);
            }
            Event::ReplicaReleased { replica, credential, .. } => {
                debug!(replica, "replica is let go");
                self.succession.left(replica, credential, Meeting::Released);
            }
            Event::Wanted { credential, processes } => self.succession.want(credential, processes),
            Event::ReplicaGone { replica, credential, reason, fates } => {
                if self.succession.stay(credential) {
                    self.desertion.left(replica, at);
                }
                self.gone((replica, credential, Meeting::Lost), &reason, fates).await;
            }
            Event::ReplicaHung { replica, credential, reason, fates } => {
                if self.succession.stay(credential) {
                    self.desertion.hangs(replica, at);
                }
                let is_replaced_alone = self.succession.replaces_one(replica);
                self.gone((replica, credential, Meeting::Hung), &reason, fates).await;
                if self.succession.stay(credential) && !is_replaced_alone {
                    self.replace_with_others();
                }
            }
            Event::ReplicaUnreached { address, credential, reason } => {
                let reason =
                    format!("a replica that should listen at {address} is not there: {reason}");
                warn!(reason, "replica is dialled again and again");
                self.succession.set_unreached(credential, Some(&reason));
                self.log.line(format!("{reason}; trying again"));
            }
            Event::ReplicaCutOff { replica, credential, reason, fates } => {
                if self.succession.stay(credential) {
                    self.desertion.left(replica, at);
                }
                self.tally.add(fates);
                let Fates { answered, run_again } = fates;
                warn!(replica, reason, answered, run_again, "replica was cut off");
                if !self.ready {
                    return Some(Err(RunError::CutOff(reason)));
                }
                if self.succession.left(replica, credential, Meeting::Lost) {
                    let reason = format!("it was cut off: {reason}");
                    self.succession.give_up(Some(reason), &self.proxy, self.log).await;
                } else {
                    self.mishap(format!("the chaincode's replica was cut off: {reason}"));
                }
            }
            Event::TransactionDiffered { channel, transaction, number } => {
                self.differs(&channel, &transaction, number);
            }
            Event::ReplicaLeft { replica, credential, reason, fates } => {
                self.desertion.left_well(replica);
                self.succession.left(replica, credential, Meeting::Lost);
                self.tally.add(fates);
                let Fates { answered, run_again } = fates;
                if answered + run_again == 0 {
                    info!(replica, reason, "replica that was to go has left");
                } else {
                    let told = "replica that was to go ended too soon";
                    warn!(replica, reason, answered, run_again, "{told}");
                }
            }
            Event::Retired { credential, answered } => {
                if answered == 0 {
                    info!("replicas that are replaced have nothing in flight any more");
                } else {
                    warn!(answered, "transactions were ended with the replicas that are replaced");
                }
                self.desertion.retired(credential);
                self.succession.retired(credential);
            }
            Event::ReplicasLost { number } => {
                warn!(number, "more replicas were lost than are told of one by one");
            }
            Event::Ended { reason, was_ready } => {
                self.over = true;
                return Some(if was_ready { Ok(reason) } else { Err(RunError::Peer(reason)) });
            }
        }
        None
    }

    async fn on_sets(&mut self, happening: Happening) -> Result<(), RunError> {
        match happening {
            Happening::Current(event) => self.on_replica(event).await,
            Happening::Next(event) => {
                self.on_next(event).await;
                Ok(())
            }
            Happening::Configured(operator) => {
                self.succession.configured(&operator, &self.proxy, self.log).await;
                Ok(())
            }
            Happening::Started(started) => {
                self.succession.started(started, &self.proxy, self.log).await;
                Ok(())
            }
            Happening::Due => {
                self.succession.due(&self.proxy, self.log).await;
                Ok(())
            }
            Happening::Room => {
                self.succession.go_on();
                Ok(())
            }
            Happening::Look => {
                self.succession.looked(self.proxy.figures().in_flight());
                Ok(())
            }
        }
    }

    async fn on_replica(&mut self, event: ReplicaEvent) -> Result<(), RunError> {
        match event {
            ReplicaEvent::Wrote { replica, line } => self.wrote(&replica, line),
            ReplicaEvent::Line(line) => self.line(line),
            ReplicaEvent::Listening(address) => {
                let credential = self.succession.current().credential;
                self.dial(address, credential).await;
            }
            ReplicaEvent::Silenced(address) => self.proxy.undial(address).await,
            ReplicaEvent::Leaving(origin) => {
                let set = self.succession.current();
                let (credential, limit) = (set.credential, set.drain());
                self.release(origin, credential, limit).await;
            }
            ReplicaEvent::Left(origin) => {
                let credential = self.succession.current().credential;
                self.proxy.vacate(origin, credential).await;
            }
            ReplicaEvent::Lifted(lifted) => {
                self.lifted(&lifted);
                self.succession.current().lifted = lifted;
            }
            ReplicaEvent::Scaled(number) => self.succession.scaled(number),
            ReplicaEvent::Exited(exit) if !self.ready => {
                // A replica that was cut off ends too; then the cut is the reason.
                while let Ok(Some(notice)) = timeout(EXIT_CAUSE, self.proxy.next_event()).await {
                    if let Some(Err(cause)) = self.on_proxy(Some(notice)).await {
                        return Err(cause);
                    }
                }
                if !self.ready {
                    return Err(RunError::Exited(exit));
                }
            }
            ReplicaEvent::Exited(exit) => self.ended(&exit),
            ReplicaEvent::Delayed(reason) => {
                let delayed = &mut self.succession.current().delayed;
                if let (None, Some(reason)) = (&delayed, &reason) {
                    warn!(reason, "replicas cannot be started, trying again");
                    self.log.line(format!("{reason}; trying again"));
                }
                *delayed = reason.as_deref().map(known);
            }
            ReplicaEvent::Trouble(reason) if self.ready => {
                warn!(reason, "no replica can run");
                self.mishap(format!("the chaincode cannot run: {reason}"));
                let credential = self.succession.current().credential;
                self.proxy.set_trouble(credential, reason).await;
            }
            ReplicaEvent::Trouble(reason) => return Err(RunError::Trouble(reason)),
            ReplicaEvent::Unreplaced(reason) => {
                warn!(reason, "a replica that hangs cannot be replaced alone");
                self.replace_with_others();
            }
            ReplicaEvent::Refused(reason) => {
                let credential = self.succession.current().credential;
                self.proxy.set_trouble(credential, reason).await;
            }
        }
        Ok(())
    }

    /// A replica has lost its connection.
    async fn gone(
        &mut self,
        (replica, credential, how): (u64, Credential, Meeting),
        reason: &str,
        fates: Fates,
    ) {
        self.tally.add(fates);
        let Fates { answered, run_again } = fates;
        warn!(replica, reason, answered, run_again, "replica is gone");
        if self.succession.left(replica, credential, how) {
            let reason = format!("it has lost its connection: {reason}");
            self.succession.give_up(Some(reason), &self.proxy, self.log).await;
        }
    }

    /// One of the replicas hangs, which is replaced with all others. If there are none, its process is
    /// ended, and started again.
    fn replace_with_others(&mut self) {
        if self.ready && self.desertion.others_are_there() {
            self.succession.replace(self.log);
        }
    }

    /// What happens to replicas that are to take the others' place.
    async fn on_next(&mut self, event: ReplicaEvent) {
        let reason = match event {
            ReplicaEvent::Wrote { replica, line } => return self.wrote(&replica, line),
            ReplicaEvent::Line(line) => return self.line(line),
            ReplicaEvent::Listening(address) => {
                if let Some(credential) = self.succession.next().map(|set| set.credential) {
                    self.dial(address, credential).await;
                }
                return;
            }
            ReplicaEvent::Silenced(address) => return self.proxy.undial(address).await,
            ReplicaEvent::Leaving(origin) => {
                let set = self.succession.next().map(|set| (set.credential, set.drain()));
                if let Some((credential, limit)) = set {
                    self.release(origin, credential, limit).await;
                }
                return;
            }
            ReplicaEvent::Left(origin) => {
                if let Some(credential) = self.succession.next().map(|set| set.credential) {
                    self.proxy.vacate(origin, credential).await;
                }
                return;
            }
            ReplicaEvent::Lifted(lifted) => {
                self.lifted(&lifted);
                self.succession.next().into_iter().for_each(|set| set.lifted.clone_from(&lifted));
                return;
            }
            ReplicaEvent::Delayed(reason) => return self.succession.delay_next(reason.as_deref()),
            // None is called for before it is their turn, and who scales is told of them then. That one
            // hangs is enough for them not to take over.
            ReplicaEvent::Refused(_) | ReplicaEvent::Scaled(_) | ReplicaEvent::Unreplaced(_) => {
                return;
            }
            ReplicaEvent::Exited(exit) => format!("it ended: {exit}"),
            ReplicaEvent::Trouble(reason) => reason,
        };
        self.succession.give_up(Some(reason), &self.proxy, self.log).await;
    }

    /// Has the proxy dial a replica that listens.
    async fn dial(&mut self, address: SocketAddr, credential: Credential) {
        if let Some(security) = self.succession.security() {
            self.proxy.dial(Target { address, credential, security }).await;
        }
    }

    /// Has the proxy let a replica go whose pod, or process, is to go.
    async fn release(&mut self, origin: Origin, credential: Credential, limit: Duration) {
        info!(?origin, "replica is to go");
        self.proxy.release(origin, credential, limit).await;
    }

    fn wrote(&self, replica: &Arc<str>, line: String) {
        info!(target: "chaincode", line);
        self.log.written(replica, line);
    }

    fn line(&self, line: String) {
        info!(target: "chaincode", line);
        self.log.line(line);
    }

    /// Says what of the pods' security the operator has lifted.
    fn lifted(&self, lifted: &[Lifted]) {
        if !lifted.is_empty() {
            let words: Vec<String> = lifted.iter().map(ToString::to_string).collect();
            let line = format!("by chaincode.allow its pods go without: {}", words.join(", "));
            warn!(line);
            self.log.line(line);
        }
    }

    fn ended(&mut self, exit: &ReplicaExit) {
        self.tally.ended();
        let credential = self.succession.current().credential;
        if self.succession.stay(credential) {
            warn!(status = exit.status, "replica ended, it is started again");
            self.mishap(format!("the chaincode ended and is started again: {exit}"));
        } else {
            warn!(status = exit.status, "a process that was called for ended");
            self.mishap(format!("a process of the chaincode ended: {exit}"));
        }
    }

    /// A transaction was run again and did something else than before. Chaincode like that does it
    /// again and again: the peer's log has it ever more seldom.
    fn differs(&mut self, channel: &str, transaction: &str, number: u64) {
        self.tally.differed(number);
        warn!(
            channel,
            transaction, number, "a transaction did something else when it was run again"
        );
        if number.is_power_of_two() {
            self.mishap(format!(
                "transaction {transaction} on channel {channel} did something else when it was run \
                 again after its replica had ended: the chaincode is not deterministic ({number} \
                 transactions so far)"
            ));
        }
    }

    /// Something has gone wrong with a replica.
    fn mishap(&mut self, line: String) {
        self.mishap = Some(known(&line));
        self.log.line(line);
    }

    pub(super) async fn end(mut self, refusal: Option<String>, parting: Parting) {
        if !self.over {
            end_proxy(&mut self.proxy, refusal).await;
        }
        drop(self.proxy);
        self.succession.end(parting).await;
    }
}

/// Lets transactions in flight finish, or answers those that wait for a launch with why it failed.
pub(super) async fn end_proxy(proxy: &mut Proxy, refusal: Option<String>) {
    if let Some(reason) = refusal {
        proxy.refuse(reason).await;
        if has_ended(proxy, TELLING + FAREWELL).await {
            return;
        }
    }
    proxy.drain(DRAIN).await;
    has_ended(proxy, DRAIN + FAREWELL).await;
}

/// Waits for the proxy's end.
async fn has_ended(proxy: &mut Proxy, limit: Duration) -> bool {
    // Its last event is its end.
    let end = async { while proxy.next_event().await.is_some() {} };
    timeout(limit, end).await.is_ok()
}
