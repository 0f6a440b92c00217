//! One run of one chaincode: proxy and replicas, from the launch to the end.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use selvedge_manifest::{Language, ReplicaCredentials};
use selvedge_proto::launcher::ImageReference;
use selvedge_proxy::{
    Event, Limits, Notice, PeerAddress, PeerCredentials, Proxy, ProxyError, ProxySettings,
};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::backend::{Backend, ReplicaEvent, ReplicaExit, Replicas, StartError, Workload};
use crate::certificates::{CertificateError, LinkCertificates};
use crate::deadline::{LaunchDeadline, TELLING};
use crate::desertion::Desertion;
use crate::error_chain::one_line;
use crate::run_log::RunLog;

/// What transactions in flight get to finish when a chaincode is stopped: with
/// what the replicas get to end, it stays below the 5 s after which a peer kills.
const DRAIN: Duration = Duration::from_millis(1500);

/// What the peer gets to end its side of the link.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long a replica's exit waits for the proxy's view of it, which may be the cause.
const EXIT_CAUSE: Duration = Duration::from_millis(100);

/// What is to be run, and for whom.
pub(crate) struct ChaincodeRun {
    /// The package ID.
    pub(crate) package_id: String,
    /// The organisation's MSP ID.
    pub(crate) msp_id: String,
    /// Where the peer listens for chaincode.
    pub(crate) peer: PeerAddress,
    /// What the peer gave to register with; `None` without TLS.
    pub(crate) credentials: Option<PeerCredentials>,
    /// The language.
    pub(crate) language: Language,
    /// Until when the chaincode must have registered.
    pub(crate) deadline: LaunchDeadline,
}

/// Why a chaincode did not become ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("cannot listen for the chaincode's replicas")]
    Listen(#[source] std::io::Error),
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the chaincode ended before it registered: {0}")]
    Exited(ReplicaExit),
    #[error("the chaincode cannot run: {0}")]
    Trouble(String),
    #[error("the chaincode was cut off: {0}")]
    CutOff(String),
    #[error(
        "the chaincode did not register within {} s (--start-timeout){preparation}; does it call \
         shim.Start?", .limit.as_secs_f32()
    )]
    NeverRegistered { limit: Duration, preparation: Preparation },
    #[error(
        "the chaincode was not started within {} s (--start-timeout){preparation}: {reason}",
        .limit.as_secs_f32()
    )]
    NeverStarted { limit: Duration, preparation: Preparation, reason: String },
    #[error("no link to the peer: {0}")]
    Peer(String),
}

/// What of a launch's time had passed when the image was there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Preparation(Duration);

impl fmt::Display for Preparation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 => Ok(()),
            seconds => write!(out, ", of which {seconds} s had passed before it was started"),
        }
    }
}

impl ChaincodeRun {
    /// Runs the chaincode until its link to the peer ends or `stop` fires; why it ended.
    /// Nothing of it is left when this returns.
    pub(crate) async fn run(
        self,
        image: ImageReference,
        backend: &dyn Backend,
        stop: &CancellationToken,
        log: &RunLog,
    ) -> Result<String, RunError> {
        let preparation = Preparation(self.deadline.passed());
        let (mut proxy, credentials) = self.link(backend)?;
        let workload = self.workload(image, &proxy, credentials);
        let replicas = match backend.start(workload).await {
            Ok(replicas) => replicas,
            Err(error) => {
                end_proxy(&mut proxy, Some(one_line(&error))).await;
                return Err(error.into());
            }
        };
        let desertion = Desertion::new(self.deadline.limit());
        let mut link =
            Link { proxy, replicas, log, ready: false, over: false, delayed: None, desertion };
        let outcome = link.supervise(stop, self.deadline, preparation).await;
        // The peer tells its client of a failed launch no more than that it failed.
        let refusal = outcome.as_ref().err().filter(|_| !link.ready).map(|error| one_line(error));
        link.end(refusal).await;
        outcome
    }

    /// Tells those who called for the chaincode why it cannot be run.
    pub(crate) async fn refuse(
        &self,
        reason: String,
        backend: &dyn Backend,
    ) -> Result<(), RunError> {
        let (mut proxy, _) = self.link(backend)?;
        end_proxy(&mut proxy, Some(reason)).await;
        Ok(())
    }

    fn link(&self, backend: &dyn Backend) -> Result<(Proxy, ReplicaCredentials), RunError> {
        let (address, host) = backend.proxy_host(&self.package_id, &self.msp_id);
        let listener = TcpListener::bind(SocketAddr::new(address, 0)).map_err(RunError::Listen)?;
        let certificates = LinkCertificates::issue(&self.package_id, &host)?;
        let proxy = Proxy::start(ProxySettings {
            package_id: self.package_id.clone(),
            peer: self.peer.clone(),
            credentials: self.credentials.clone(),
            listener,
            authority: certificates.proxy,
            limits: Limits::default(),
            registration: self.deadline.registration(),
        })?;
        Ok((proxy, certificates.replica))
    }

    fn workload(
        &self,
        image: ImageReference,
        proxy: &Proxy,
        credentials: ReplicaCredentials,
    ) -> Workload {
        Workload {
            package_id: self.package_id.clone(),
            msp_id: self.msp_id.clone(),
            namespace: None,
            language: self.language,
            image,
            proxy: proxy.address(),
            credentials,
            set: 0,
        }
    }
}

/// A chaincode's two sides while it runs.
struct Link<'a> {
    proxy: Proxy,
    replicas: Box<dyn Replicas>,
    log: &'a RunLog,
    ready: bool,
    /// The link to the peer has ended.
    over: bool,
    /// Why no replica can be started just now.
    delayed: Option<String>,
    /// Whether any replica is connected.
    desertion: Desertion,
}

impl Link<'_> {
    async fn supervise(
        &mut self,
        stop: &CancellationToken,
        deadline: LaunchDeadline,
        preparation: Preparation,
    ) -> Result<String, RunError> {
        let mut too_late = std::pin::pin!(sleep_until(deadline.until()));
        loop {
            tokio::select! {
                notice = self.proxy.next_event() => {
                    if let Some(end) = self.on_proxy(notice) {
                        return end;
                    }
                }
                Some(event) = self.replicas.next_event() => self.on_replica(event).await?,
                since = self.desertion.lasts_too_long() => self.replicas.replace_disconnected(since),
                () = stop.cancelled() => return Ok("it was asked to stop".into()),
                () = &mut too_late, if !self.ready => {
                    let limit = deadline.limit();
                    return Err(match self.delayed.take() {
                        Some(reason) => RunError::NeverStarted { limit, preparation, reason },
                        None => RunError::NeverRegistered { limit, preparation },
                    });
                }
            }
        }
    }

    /// Takes a proxy's event; the run's outcome when the run is over.
    fn on_proxy(&mut self, notice: Option<Notice>) -> Option<Result<String, RunError>> {
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
            Event::ReplicaReady { replica } => {
                info!(replica, "replica is ready");
                self.desertion.joined(replica, at);
            }
            Event::ReplicaGone { replica, reason, answered } => {
                self.desertion.left(replica, at);
                warn!(replica, reason, answered, "replica is gone");
            }
            Event::ReplicaCutOff { replica, reason } => {
                self.desertion.left(replica, at);
                warn!(replica, reason, "replica was cut off");
                if !self.ready {
                    return Some(Err(RunError::CutOff(reason)));
                }
                self.log.line(format!("the chaincode's replica was cut off: {reason}"));
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

    async fn on_replica(&mut self, event: ReplicaEvent) -> Result<(), RunError> {
        match event {
            ReplicaEvent::Line(line) => {
                info!(target: "chaincode", line);
                self.log.line(line);
            }
            ReplicaEvent::Exited(exit) if !self.ready => {
                // A replica that was cut off ends too; then the cut is the reason.
                while let Ok(Some(notice)) = timeout(EXIT_CAUSE, self.proxy.next_event()).await {
                    if let Some(Err(cause)) = self.on_proxy(Some(notice)) {
                        return Err(cause);
                    }
                }
                if !self.ready {
                    return Err(RunError::Exited(exit));
                }
            }
            ReplicaEvent::Exited(exit) => {
                warn!(status = exit.status, "replica ended, it is started again");
                self.log.line(format!("the chaincode ended and is started again: {exit}"));
            }
            ReplicaEvent::Delayed(reason) => {
                if let (None, Some(reason)) = (&self.delayed, &reason) {
                    warn!(reason, "replicas cannot be started, trying again");
                    self.log.line(format!("{reason}; trying again"));
                }
                self.delayed = reason;
            }
            ReplicaEvent::Trouble(reason) if self.ready => {
                warn!(reason, "no replica can run");
                self.log.line(format!("the chaincode cannot run: {reason}"));
                self.proxy.set_trouble(reason).await;
            }
            ReplicaEvent::Trouble(reason) => return Err(RunError::Trouble(reason)),
        }
        Ok(())
    }

    async fn end(mut self, refusal: Option<String>) {
        if !self.over {
            end_proxy(&mut self.proxy, refusal).await;
        }
        drop(self.proxy);
        self.replicas.stop().await;
    }
}

/// Lets transactions in flight finish, or answers those that wait for a launch with why it failed.
async fn end_proxy(proxy: &mut Proxy, refusal: Option<String>) {
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
