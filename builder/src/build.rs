//! `build SRC META OUT`: has the launcher turn a chaincode's source into an image.
//!
//! The peer tells the installer no more than "exit status 1"; the reason is the
//! last line in the peer's log. A build that failed leaves nothing in OUT.

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
    time::Duration,
};

use selvedge_proto::launcher::{
    BuildRequest, ChaincodeSource, ImageReference, build_event::Event, build_request::Content,
};
use tokio::{select, sync::mpsc, time};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    call::Call,
    launcher::{Address, LauncherError},
    limit::{self, LimitError},
    lines::Lines,
    metadata::{Metadata, MetadataError},
    output::{Output, OutputError},
    runtime,
    source::{self, SourceError},
    usage,
};

/// How long a build may take, unless `SELVEDGE_BUILD_TIMEOUT` says otherwise.
const BUILD_TIME: Duration = Duration::from_mins(30);

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The package's metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The package's source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The output directory.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The launcher, or the build that it made.
    #[error(transparent)]
    Launcher(#[from] LauncherError),
    /// The setting for the time limit.
    #[error(transparent)]
    Setting(#[from] LimitError),
    /// The source's tar, once written.
    #[error("cannot send the source")]
    Send(#[source] io::Error),
    /// It takes too long.
    #[error("the build did not end within {} s; SELVEDGE_BUILD_TIMEOUT sets another limit", .0.as_secs())]
    Time(Duration),
    /// The launcher broke its own rules.
    #[error("the launcher at {0} ended the build without an image")]
    NoImage(Address),
}

/// Builds a chaincode: exit code 0 with the image in OUT, or 1 with the reason as
/// the last line.
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
    let limit = limit::from_environment("SELVEDGE_BUILD_TIMEOUT", BUILD_TIME)?;
    let launcher = Address::from_environment()?;
    let described = Metadata::read(meta)?.into_source();
    source::pack(src, &output.source())?;
    let meta_inf = src.join("META-INF");
    if meta_inf.is_dir() {
        source::copy(&meta_inf, &output.meta_inf())?;
    }
    let making = make(&launcher, described.clone(), output, lines);
    let image = time::timeout(limit, making).await.map_err(|_| BuildError::Time(limit))??;
    Ok(output.write(described, image)?)
}

/// Sends the source and relays the build's lines until there is an image.
async fn make(
    launcher: &Address,
    source: ChaincodeSource,
    output: &Output,
    lines: &Lines,
) -> Result<ImageReference, BuildError> {
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
            event = event => match event?.map(|event| event.event) {
                Some(Some(Event::Log(line))) => lines.say(&line),
                Some(Some(Event::Image(image))) => return Ok(image),
                // What a later launcher may say and an older builder need not know.
                Some(None) => {}
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
