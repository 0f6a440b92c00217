//! `build SRC META OUT`: has the launcher turn a chaincode's source into an image, or learns from
//! the package where the chaincode is served.
//!
//! The peer tells the installer no more than "exit status 1"; the reason is the
//! last line in the peer's log. A build that failed leaves nothing in OUT.
//!
//! How long it may take, the launcher decides, as with `run`.

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
};

use selvedge_client::{Address, Caller, LauncherError};
use selvedge_package::{Handling, META_INF};
use selvedge_proto::launcher::{
    BuildEvent, BuildRequest, ChaincodeSource, build_event::Event, build_request::Content,
};
use tokio::{select, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    call::Call,
    host_program::{self, HostProgramError},
    lines::Lines,
    metadata::{Metadata, MetadataError},
    output::{Built, Output, OutputError},
    runtime,
    server::{self, ServerError},
    source::{self, SourceError},
    usage,
};

/// Why there is neither an image nor a server.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The package's metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The package's source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The program that the package names.
    #[error(transparent)]
    HostProgram(#[from] HostProgramError),
    /// The package's server.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The output directory.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The launcher, or the build that it made.
    #[error(transparent)]
    Launcher(#[from] LauncherError),
    /// The source's tar, once written.
    #[error("cannot send the source")]
    Send(#[source] io::Error),
    /// The launcher broke its own rules.
    #[error("the launcher at {0} ended the build without an image")]
    NoImage(Address),
}

/// Builds a chaincode: exit code 0 with the image or the server in OUT, or 1 with the
/// reason as the last line.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let directories = match usage::directories(arguments, "build SRC META OUT") {
        Ok(directories) => directories,
        Err(misuse) => return misuse,
    };
    runtime::with_lines(async |lines: &Lines| build(directories, lines).await)
}

async fn build([src, meta, out]: [PathBuf; 3], lines: &Lines) -> Result<(), BuildError> {
    let output = Output::empty(out)?;
    let outcome = fill(&src, &meta, &output, lines).await;
    if outcome.is_err() {
        output.discard();
    }
    outcome
}

/// Leaves in the output what `run` and `release` need.
async fn fill(src: &Path, meta: &Path, output: &Output, lines: &Lines) -> Result<(), BuildError> {
    let metadata = Metadata::read(meta)?;
    match metadata.handling() {
        Handling::Served => {
            let server = server::of_package(src)?;
            keep_meta_inf(src, output)?;
            Ok(output.write_server(&server)?)
        }
        // One that `detect` declined, nobody builds; that, the launcher says.
        Handling::Built | Handling::Named | Handling::Declined => {
            let launcher = Address::from_environment(Caller::Builder)?;
            match metadata.host_program() {
                Some(path) => source::pack_program(host_program::open(path)?, &output.source())?,
                None => source::pack(src, &output.source())?,
            }
            let described = metadata.into_source();
            keep_meta_inf(src, output)?;
            let built = make(&launcher, described.clone(), output, lines).await?;
            Ok(output.write(described, built)?)
        }
    }
}

fn keep_meta_inf(src: &Path, output: &Output) -> Result<(), SourceError> {
    let meta_inf = src.join(META_INF);
    if meta_inf.is_dir() {
        source::copy(&meta_inf, &output.meta_inf())?;
    }
    Ok(())
}

/// Sends the source and relays the build's lines until there is an image.
async fn make(
    launcher: &Address,
    source: ChaincodeSource,
    output: &Output,
    lines: &Lines,
) -> Result<Built, BuildError> {
    let mut client = launcher.connect().await?;
    let tar = output.open_source()?;
    let (requests, queue) = mpsc::channel(2);
    let mut call =
        Call::new(launcher.clone(), async move { client.build(ReceiverStream::new(queue)).await });
    let mut sending = pin!(send(source, tar, requests));
    let mut sent = false;
    loop {
        let event = async {
            lines.room().await;
            call.event().await
        };
        select! {
            outcome = &mut sending, if !sent => {
                outcome.map_err(BuildError::Send)?;
                sent = true;
            }
            event = event => match event? {
                Some(BuildEvent { event: Some(Event::Log(line)), .. }) => lines.say(&line),
                Some(BuildEvent { event: Some(Event::Image(image)), listening }) => {
                    return Ok(Built { image, listening });
                }
                // What a later launcher may say and an older builder need not know.
                Some(BuildEvent { event: None, .. }) => {}
                None => return Err(BuildError::NoImage(launcher.clone())),
            },
        }
    }
}

/// Sends the start and the tar, and closes the requests: that is the tar's end.
async fn send(
    source: ChaincodeSource,
    tar: File,
    requests: mpsc::Sender<BuildRequest>,
) -> io::Result<()> {
    let request = |content| BuildRequest { content: Some(content) };
    if requests.send(request(Content::Start(source))).await.is_err() {
        return Ok(());
    }
    source::send(tar, &requests, |chunk| request(Content::Chunk(chunk))).await
}
