//! `Build`: a source comes in, lines go out, an image is the answer.

use std::time::Instant;

use selvedge_buildpack::shim::Shim;
use selvedge_proto::launcher::{
    BuildEvent, BuildRequest, ChaincodeSource, ImageReference, build_event, build_request,
};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tonic::{Status, Streaming};
use tracing::{Instrument, info, info_span, warn};

use super::imaging::image_of;
use super::listening::told;
use super::shared::{Shared, chunk, failed, unexpected};
use crate::build_records::BuildRecord;
use crate::caller::Caller;
use crate::source::{Chunks, Received};

type Events = mpsc::Sender<Result<BuildEvent, Status>>;

pub(super) async fn build(
    shared: &Shared,
    caller: &Caller,
    mut requests: Streaming<BuildRequest>,
    events: &Events,
) -> Result<BuildEvent, Status> {
    let first = requests.message().await?.and_then(|request| request.content);
    let Some(build_request::Content::Start(start)) = first else {
        return Err(unexpected("what is to be built"));
    };
    let span = info_span!("build", label = start.label, caller = caller.name());
    let record = shared.seen.builds.begin(&start, caller);
    let built = built(shared, &start, chunks(requests), events, &record).instrument(span).await;
    record.ended(built.as_ref().map(|(image, _)| image).map_err(Status::message));
    let (image, shim) = built?;
    let listening = told(shim);
    Ok(BuildEvent { event: Some(build_event::Event::Image(image)), listening })
}

async fn built(
    shared: &Shared,
    described: &ChaincodeSource,
    chunks: Chunks,
    events: &Events,
    record: &BuildRecord,
) -> Result<(ImageReference, Shim), Status> {
    let tell = |line: String| {
        info!(target: "build", line);
        record.line(&line);
        // A builder with that much to read has heard enough.
        let _ = events.try_send(Ok(BuildEvent {
            event: Some(build_event::Event::Log(line)),
            listening: None,
        }));
    };
    let works = shared.entrance.enter(tell).await.map_err(|error| failed(&error))?;
    let _slot = shared.slots.take(tell).await;
    record.goes_on();
    let begun = Instant::now();
    let received = Received::receive(described, chunks, &works.data, record.key());
    let received = received.await.map_err(|error| failed(&error))?;
    let shim = received.shim();
    let (log, lines) = mpsc::channel(64);
    let build = image_of(received, works.backend.as_ref(), shared.build_limit(), log);
    let (image, ()) = tokio::join!(build, relay(lines, events, record));
    let seconds = begun.elapsed().as_secs_f32();
    match image {
        Ok(image) => {
            info!(seconds, digest = image.digest, ?shim, "image is there");
            Ok((image, shim))
        }
        Err(status) => {
            warn!(seconds, reason = status.message(), "build failed");
            Err(status)
        }
    }
}

async fn relay(mut lines: mpsc::Receiver<String>, events: &Events, record: &BuildRecord) {
    while let Some(line) = lines.recv().await {
        // npm sets off what it says by empty lines; a log has lines enough.
        if line.trim().is_empty() {
            continue;
        }
        info!(target: "build", line);
        record.line(&line);
        let event = BuildEvent { event: Some(build_event::Event::Log(line)), listening: None };
        // Lines of a build wait for a slow reader: none of them may be missing.
        let _ = events.send(Ok(event)).await;
    }
}

fn chunks(requests: Streaming<BuildRequest>) -> Chunks {
    Box::pin(requests.map(|request| match request?.content {
        Some(build_request::Content::Chunk(bytes)) => Ok(chunk(bytes)),
        _ => Err(unexpected("the source")),
    }))
}
