//! A chaincode under the launcher's care, from the call to its end.

use std::{
    future::{self, Future},
    io,
    ops::ControlFlow,
    pin::Pin,
    time::Duration,
};

use selvedge_client::{Address, LauncherError};
use selvedge_proto::launcher::{
    RunEvent, RunRequest, SourceEnd, Stop, run_event::Event, run_request::Content,
};
use tokio::{
    select,
    sync::mpsc,
    time::{self, Instant},
};

use crate::{
    call::Call,
    lines::{self, Lines},
    output::{Output, OutputError},
    signals::StopSignals,
    source,
};

/// How long the launcher gets to stop a chaincode: the peer sends SIGKILL after
/// 5 s, and a peer that shuts down has no more than that for everything.
const STOP_TIME: Duration = Duration::from_millis(3500);

/// Why a session ended otherwise than by the peer's wish or the link's end.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The launcher failed, or says that the chaincode did.
    #[error(transparent)]
    Launcher(#[from] LauncherError),
    /// The launcher wants the source again, and it is not there.
    #[error("the image is gone and can not be built again: install the package again")]
    Source(#[from] OutputError),
    /// The source can not be read.
    #[error("the image is gone and its source can not be sent")]
    Send(#[source] io::Error),
    /// The chaincode ended before it was ready.
    #[error("{0}")]
    Ended(String),
    /// The launcher closed the call without a word.
    #[error("the launcher at {0} ended the call without a reason")]
    Silence(Address),
    /// It was asked to stop and says nothing.
    #[error("the launcher at {0} did not say within {limit} s that the chaincode has stopped", limit = STOP_TIME.as_secs_f32())]
    StopTime(Address),
}

/// How far the chaincode is.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Starting,
    Ready,
    /// Until when the launcher must have said that the chaincode has stopped.
    Stopping(Instant),
}

impl Phase {
    /// When it must be over; only a stop must be at a time.
    fn deadline(self) -> Option<Instant> {
        match self {
            Self::Stopping(deadline) => Some(deadline),
            Self::Starting | Self::Ready => None,
        }
    }
}

type Sending = Pin<Box<dyn Future<Output = io::Result<()>>>>;

/// The session.
pub(crate) struct Session {
    launcher: Address,
    call: Call<RunEvent>,
    requests: mpsc::Sender<RunRequest>,
    output: Output,
    phase: Phase,
    /// What is being sent, at the pace of the launcher.
    sending: Option<Sending>,
}

impl Session {
    /// The session of a call whose first request is queued.
    pub(crate) fn new(
        launcher: Address,
        call: Call<RunEvent>,
        requests: mpsc::Sender<RunRequest>,
        output: Output,
    ) -> Self {
        Self { launcher, call, requests, output, phase: Phase::Starting, sending: None }
    }

    /// Relays the chaincode's lines until it has ended. A stop that was asked for
    /// succeeds, whatever the launcher says to it.
    pub(crate) async fn follow(
        mut self,
        lines: &Lines,
        stop: &mut StopSignals,
    ) -> Result<(), SessionError> {
        let outcome = loop {
            if let ControlFlow::Break(outcome) = self.step(lines, stop).await {
                break outcome;
            }
        };
        match outcome {
            Err(error) if self.phase.deadline().is_some() => {
                lines.say(&lines::chain(&error));
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Waits for one thing to happen, and does what is to be done about it.
    async fn step(
        &mut self,
        lines: &Lines,
        stop: &mut StopSignals,
    ) -> ControlFlow<Result<(), SessionError>> {
        let deadline = self.phase.deadline();
        let stopping = deadline.is_some();
        let event = async {
            // A stop does not wait for a peer that does not read; lines are lost then.
            if !stopping {
                lines.room().await;
            }
            self.call.event().await
        };
        select! {
            () = stop.asked(), if !stopping => self.stop(),
            () = passed(deadline) => {
                return ControlFlow::Break(Err(SessionError::StopTime(self.launcher.clone())));
            }
            sent = progress(&mut self.sending) => {
                self.sending = None;
                if let Err(error) = sent {
                    return ControlFlow::Break(Err(SessionError::Send(error)));
                }
            }
            event = event => return self.on(event, lines),
        }
        ControlFlow::Continue(())
    }

    fn on(
        &mut self,
        event: Result<Option<RunEvent>, LauncherError>,
        lines: &Lines,
    ) -> ControlFlow<Result<(), SessionError>> {
        let event = match event {
            Ok(Some(event)) => event.event,
            Ok(None) => {
                let silence = SessionError::Silence(self.launcher.clone());
                return ControlFlow::Break(Err(silence));
            }
            Err(error) => return ControlFlow::Break(Err(error.into())),
        };
        match event {
            Some(Event::Log(line)) => lines.say(&line),
            Some(Event::SourceWanted(_)) => {
                if let Err(error) = self.offer() {
                    return ControlFlow::Break(Err(error.into()));
                }
            }
            Some(Event::Ready(_)) if self.phase == Phase::Starting => self.phase = Phase::Ready,
            Some(Event::Ended(ended)) => return self.ended(ended.reason, lines),
            // Late, or what a later launcher may say and this need not know.
            Some(Event::Ready(_)) | None => {}
        }
        ControlFlow::Continue(())
    }

    fn ended(&self, reason: String, lines: &Lines) -> ControlFlow<Result<(), SessionError>> {
        let reason = if reason.is_empty() { "the chaincode has ended".into() } else { reason };
        if self.phase == Phase::Starting {
            return ControlFlow::Break(Err(SessionError::Ended(reason)));
        }
        lines.say(&reason);
        ControlFlow::Break(Ok(()))
    }

    /// Asks the launcher to stop the chaincode; what else was to be sent is not.
    fn stop(&mut self) {
        self.phase = Phase::Stopping(Instant::now() + STOP_TIME);
        let requests = self.requests.clone();
        self.sending = Some(Box::pin(async move {
            // A launcher that takes no more has ended the call already.
            let _ = requests.send(request(Content::Stop(Stop {}))).await;
            Ok(())
        }));
    }

    /// Begins to send the source.
    fn offer(&mut self) -> Result<(), OutputError> {
        if self.phase.deadline().is_some() {
            return Ok(());
        }
        let tar = self.output.open_source()?;
        let requests = self.requests.clone();
        self.sending = Some(Box::pin(async move {
            source::send(tar, &requests, |chunk| request(Content::Chunk(chunk))).await?;
            let _ = requests.send(request(Content::SourceEnd(SourceEnd {}))).await;
            Ok(())
        }));
        Ok(())
    }
}

/// Ready at the deadline, if there is one.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => time::sleep_until(deadline).await,
        None => future::pending().await,
    }
}

/// What is being sent, if anything is.
async fn progress(sending: &mut Option<Sending>) -> io::Result<()> {
    match sending {
        Some(sending) => sending.await,
        None => future::pending().await,
    }
}

fn request(content: Content) -> RunRequest {
    RunRequest { content: Some(content) }
}
