//! `Run`: a chaincode is started, linked to its peer, and followed to its end.

use std::sync::Arc;
use std::time::Duration;

use selvedge_buildpack::content::PackageContent;
use selvedge_buildpack::named_image::{NamedImage, NamedImageError};
use selvedge_config::{Chaincode, Faults};
use selvedge_proto::launcher::{
    ChaincodeSource, Ended, ImageReference, RunEvent, RunRequest, RunStart, run_event, run_request,
};
use selvedge_proxy::{PeerAddress, PeerCredentials};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Status, Streaming};
use tracing::{Instrument, info, info_span, warn};

use super::admission::is_of_the_organisation;
use super::imaging::image_of;
use super::listening::kept;
use super::shared::{Shared, chunk, failed, unexpected};
use crate::backend::Backend;
use crate::build_records::BuildRecord;
use crate::caller::Caller;
use crate::chaincode::ChaincodeRun;
use crate::deadline::LaunchDeadline;
use crate::error_chain::one_line;
use crate::opening::Works;
use crate::run_log::RunLog;
use crate::source::{Received, content};
use crate::standing::Standing;
use crate::stop::Stop;

/// What took all of a launch's time.
#[derive(Debug, thiserror::Error)]
enum TooLate {
    #[error(
        "an earlier launch of the chaincode did not end within {} s (chaincode.timeouts.start)",
        .0.as_secs_f32()
    )]
    Predecessor(Duration),
    #[error(
        "the launcher has not started within {} s (chaincode.timeouts.start); its log says what it waits for",
        .0.as_secs_f32()
    )]
    Launcher(Duration),
    #[error(
        "the image was not there within {} s (chaincode.timeouts.start); a build that takes longer needs \
         more time here and in the peer (chaincode.startuptimeout)",
        .0.as_secs_f32()
    )]
    Image(Duration),
}

/// The operator's file is right, but not for this chaincode.
#[derive(Debug, thiserror::Error)]
#[error("the operator's file is not right for this chaincode: {0}")]
struct Unsettled(Faults);

pub(super) async fn run(
    shared: &Shared,
    caller: Caller,
    mut requests: Streaming<RunRequest>,
    deadline: LaunchDeadline,
    events: mpsc::Sender<Result<RunEvent, Status>>,
) -> Result<RunEvent, Status> {
    let first = requests.message().await?.and_then(|request| request.content);
    let Some(run_request::Content::Start(start)) = first else {
        return Err(unexpected("what is to be run"));
    };
    let span = info_span!("chaincode", package_id = start.package_id, caller = caller.name());
    is_of_the_organisation(&caller, &start.msp_id, &shared.configuration.now())?;
    let log = RunLog::new(events, shared.seen.logs.of(caller.peer(), &start.package_id));
    let following = follow(shared, caller, start, requests, deadline, &log);
    let outcome = following.instrument(span.clone()).await;
    let _entered = span.enter();
    match &outcome {
        Ok(reason) => {
            info!(reason, "chaincode ended");
            log.keep(&format!("the run has ended: {reason}"));
        }
        Err(status) => {
            warn!(reason = status.message(), "chaincode failed");
            log.keep(&format!("the run has failed: {}", status.message()));
        }
    }
    outcome.map(|reason| RunEvent { event: Some(run_event::Event::Ended(Ended { reason })) })
}

async fn follow(
    shared: &Shared,
    caller: Caller,
    start: RunStart,
    requests: Streaming<RunRequest>,
    deadline: LaunchDeadline,
    log: &RunLog,
) -> Result<String, Status> {
    info!(peer = start.peer_address, "chaincode is to be run");
    let peer: PeerAddress = start.peer_address.parse().map_err(|error| failed(&error))?;
    let standing = Standing::new(&start, &caller);
    let place = shared.running.begin(standing.clone());
    let slot = timeout_at(deadline.until(), place)
        .await
        .map_err(|_| failed(&TooLate::Predecessor(deadline.limit())))?
        .map_err(|error| failed(&error))?;
    // One end of the call ends the run: the peer's wish, or the death of its `run`.
    let stop = slot.stop().clone();
    let (chunks, sources) = mpsc::channel(4);
    let reader = read_requests(requests, chunks, stop.clone());
    let _reader = AbortOnDropHandle::new(tokio::spawn(reader));
    let gone = log.clone();
    let _watch = AbortOnDropHandle::new(tokio::spawn({
        let stop = stop.clone();
        async move {
            gone.closed().await;
            stop.end();
        }
    }));
    let run = chaincode_run(&start, caller, peer, deadline, standing)?;
    launch(shared, run, &start, sources, &stop, log).await
}

/// Runs the chaincode once the launcher is open and the image is there.
async fn launch(
    shared: &Shared,
    run: ChaincodeRun,
    start: &RunStart,
    sources: mpsc::Receiver<Result<bytes::Bytes, Status>>,
    stop: &Stop,
    log: &RunLog,
) -> Result<String, Status> {
    let (until, limit) = (run.deadline.until(), run.deadline.limit());
    let works = tokio::select! {
        works = shared.entrance.enter(|line| log.line(line)) => works.map_err(|error| failed(&error)),
        () = stop.told() => Err(told_to_stop()),
        () = sleep_until(until) => Err(failed(&TooLate::Launcher(limit))),
    }?;
    let backend = works.backend.as_ref();
    let limit_of = |settings: Arc<Chaincode>| settings.timeouts.start.duration();
    let run = match settings(shared, &run, backend).map(limit_of) {
        Ok(limit) => run.within(limit),
        Err(_) => run,
    };
    let left = backend.estate().and_then(|estate| estate.find(&run.heir(), run.shim));
    let run = ChaincodeRun { left, ..run };
    let (until, limit) = (run.deadline.until(), run.deadline.limit());
    let _kept = start.image.as_ref().map(|image| backend.keep(image));
    let image = tokio::select! {
        image = image(shared, &works, &run, start, sources, log) => image,
        () = stop.told() => return Err(told_to_stop()),
        () = sleep_until(until) => Err(failed(&TooLate::Image(limit))),
    };
    // What is in force by now, which may be told of as no image is.
    let ready = image.and_then(|image| Ok((image, settings(shared, &run, backend)?)));
    match ready {
        Ok((image, settings)) => {
            // One that was built anew may be another.
            let _kept = backend.keep(&image);
            let (configuration, works) = (shared.configuration.clone(), Arc::clone(&works));
            run.standing.is(|status| status.image = Some(image.clone()));
            let outcome = run.run(image, settings, configuration, works, stop, log).await;
            outcome.map_err(|error| failed(&error))
        }
        Err(status) => {
            run.standing.ends(status.message());
            if let Err(error) = run.refuse(status.message().to_owned(), backend).await {
                warn!(reason = one_line(&error), "who called cannot be told of the failure");
            }
            Err(status)
        }
    }
}

fn settings(
    shared: &Shared,
    run: &ChaincodeRun,
    backend: &dyn Backend,
) -> Result<Arc<Chaincode>, Status> {
    let settings = run.settings(&shared.configuration.now(), backend);
    settings.map_err(|faults| failed(&Unsettled(faults)))
}

fn told_to_stop() -> Status {
    Status::cancelled("it was asked to stop")
}

fn chaincode_run(
    start: &RunStart,
    caller: Caller,
    peer: PeerAddress,
    deadline: LaunchDeadline,
    standing: Standing,
) -> Result<ChaincodeRun, Status> {
    let named = start.source.as_ref().map_or("", |source| &source.r#type);
    Ok(ChaincodeRun {
        package_id: start.package_id.clone(),
        msp_id: start.msp_id.clone(),
        caller,
        peer,
        credentials: start.tls.clone().map(|tls| PeerCredentials {
            certificate: tls.client_cert,
            key: tls.client_key,
            root: tls.root_cert,
        }),
        content: content(named).map_err(|error| failed(&error))?,
        shim: kept(start.listening).map_err(|error| failed(&error))?,
        deadline,
        standing,
        left: None,
    })
}

/// The image to run: the one that the build left. What was made here is made anew of the same
/// source when it is gone: the launcher keeps nothing that it could not make again. What somebody
/// else made, nobody here can.
async fn image(
    shared: &Shared,
    works: &Works,
    run: &ChaincodeRun,
    start: &RunStart,
    sources: mpsc::Receiver<Result<bytes::Bytes, Status>>,
    log: &RunLog,
) -> Result<ImageReference, Status> {
    let image = start.image.clone().ok_or_else(|| unexpected("an image"))?;
    match run.content {
        // What replicas run that are there, their nodes have.
        PackageContent::Code(_)
            if run.left.as_ref().is_some_and(|left| left.image == image.digest) =>
        {
            Ok(image)
        }
        PackageContent::Code(_) if works.backend.holds(&image).await => Ok(image),
        PackageContent::Code(_) => rebuilt(shared, works, run, image, start, sources, log).await,
        PackageContent::Image => {
            let named = NamedImage::new(&image.name, &image.digest);
            let named = named.map_err(|fault| failed(&NamedImageError::Fault(fault)))?;
            // The registry is not asked for what is there: a peer starts one chaincode after another,
            // and nodes may have what a registry lacks or cannot be asked for.
            works.backend.bring(&named).await.map_err(|error| failed(&error))?;
            Ok(image)
        }
    }
}

/// The image made anew of the source that `run` sends.
async fn rebuilt(
    shared: &Shared,
    works: &Works,
    run: &ChaincodeRun,
    image: ImageReference,
    start: &RunStart,
    sources: mpsc::Receiver<Result<bytes::Bytes, Status>>,
    log: &RunLog,
) -> Result<ImageReference, Status> {
    let gone =
        format!("image {} is gone or damaged, it is built again from the source", image.digest);
    run.standing.waits(&gone);
    log.line(gone);
    let described = start.source.clone().unwrap_or_default();
    let record = shared.seen.builds.begin(&described, &run.caller);
    let built = rebuild(shared, works, &described, sources, &record, log).await;
    record.ended(built.as_ref().map_err(Status::message));
    let rebuilt = built?;
    if rebuilt.digest != image.digest {
        warn!(
            was = image.digest,
            is = rebuilt.digest,
            "an image built again is another than before"
        );
        log.line(format!(
            "the image built again is {}, not {}: the toolchain has changed since, or what the source \
             leaves open has: dependencies without a lock file, and what their install scripts make",
            rebuilt.digest, image.digest
        ));
    }
    Ok(rebuilt)
}

async fn rebuild(
    shared: &Shared,
    works: &Works,
    described: &ChaincodeSource,
    sources: mpsc::Receiver<Result<bytes::Bytes, Status>>,
    record: &BuildRecord,
    log: &RunLog,
) -> Result<ImageReference, Status> {
    let _slot = shared.slots.take(|line| log.line(line)).await;
    record.goes_on();
    log.want_source();
    let chunks = Box::pin(ReceiverStream::new(sources));
    let received = Received::receive(described, chunks, &works.data, record.key());
    let received = received.await.map_err(|error| failed(&error))?;
    let (lines, mut built) = mpsc::channel::<String>(64);
    let build = image_of(received, works.backend.as_ref(), shared.build_limit(), lines);
    let relay = async {
        while let Some(line) = built.recv().await {
            record.line(&line);
            log.line(line);
        }
    };
    let (rebuilt, ()) = tokio::join!(build, relay);
    rebuilt
}

/// Takes the source that was asked for, and the wish to stop.
async fn read_requests(
    mut requests: Streaming<RunRequest>,
    chunks: mpsc::Sender<Result<bytes::Bytes, Status>>,
    stop: Stop,
) {
    let mut chunks = Some(chunks);
    while let Ok(Some(request)) = requests.message().await {
        match request.content {
            Some(run_request::Content::Chunk(bytes)) => {
                if let Some(chunks) = &chunks {
                    // A source that was not asked for, or was refused, goes nowhere.
                    let _ = chunks.send(Ok(chunk(bytes))).await;
                }
            }
            Some(run_request::Content::SourceEnd(_)) => chunks = None,
            Some(run_request::Content::Stop(_)) => return stop.end_unwanted(),
            _ => break,
        }
    }
    // The caller's end.
    stop.end();
}
