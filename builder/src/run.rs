//! `run OUT RUNMETA`: has the launcher run a chaincode, for as long as the peer
//! wants it.
//!
//! The peer takes the end of `run` before the chaincode is ready for a failed
//! launch; it does not end `run` itself when its start timeout has passed
//! (`core/chaincode/runtime_launcher.go`). To stop, it sends SIGTERM and 5 s
//! later SIGKILL (`core/container/externalbuilder/instance.go`).
//!
//! How long a chaincode may take to be ready, the launcher decides, whose
//! settings say so: of the peer's environment nothing gets here that its core.yaml
//! does not list (`propagateEnvironment`). `run` waits for the launcher's word,
//! and a launcher that has died or hangs is noticed by its connection
//! (`launcher/client/src/connection.rs`).

use std::{ffi::OsString, io, path::PathBuf, process::ExitCode};

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use selvedge_client::{Address, Caller, LauncherError};
use selvedge_proto::launcher::{RunRequest, RunStart, run_request::Content};
use tokio::{select, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    call::Call,
    lines::Lines,
    output::{Output, OutputError},
    peer::{self, PeerError},
    runtime,
    session::{Session, SessionError},
    signals::StopSignals,
    usage,
};

/// Why the chaincode does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The process can not be set up.
    #[error("cannot set up the process")]
    Process(#[from] io::Error),
    /// What the build left.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// What the peer says.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The launcher can not be reached.
    #[error(transparent)]
    Launcher(#[from] LauncherError),
    /// The chaincode could not be launched, or was lost.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// Runs a chaincode: exit code 0 when it ended after it was ready or because the
/// peer asked, or 1 with the reason as the last line.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let directories = match usage::directories(arguments, "run OUT RUNMETA") {
        Ok(directories) => directories,
        Err(misuse) => return misuse,
    };
    runtime::with_lines(async |lines: &Lines| run(directories, lines).await)
}

async fn run([out, run_metadata]: [PathBuf; 2], lines: &Lines) -> Result<(), RunError> {
    // The peer's key is in memory from here on: no core file, no debugger.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(io::Error::from)?;
    let mut stop = StopSignals::listen()?;
    let launcher = Address::from_environment(Caller::Builder)?;
    let output = Output::of_build(out);
    let (image, source) = output.read()?;
    let start = peer::request(&run_metadata, image, source)?;
    let session = select! {
        biased;
        () = stop.asked() => return Ok(()),
        session = open(launcher, start, output) => session?,
    };
    Ok(session.follow(lines, &mut stop).await?)
}

/// Calls the launcher.
async fn open(
    launcher: Address,
    start: RunStart,
    output: Output,
) -> Result<Session, LauncherError> {
    let mut client = launcher.connect().await?;
    let (requests, queue) = mpsc::channel(2);
    // Never full: it is the first.
    let _ = requests.try_send(RunRequest { content: Some(Content::Start(start)) });
    let call =
        Call::new(launcher.clone(), async move { client.run(ReceiverStream::new(queue)).await });
    Ok(Session::new(launcher, call, requests, output))
}
