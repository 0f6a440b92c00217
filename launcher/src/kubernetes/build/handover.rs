//! Where the pods of builds fetch what they need and leave what they made.
//!
//! Plain HTTP on the pod network: what is fetched is checked against digests that came by the
//! cluster's API, what is left is checked in every respect and against the digest that comes
//! back by the cluster's API. An address is known to one build, good for one use, and gone with
//! the build.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::judge::IMAGE_LIMIT;
use crate::doorway::{self, Content, said, whole};

/// How long a client may say nothing while it sends.
const SILENCE: Duration = Duration::from_secs(30);

/// How many may be connected at once: a build has one connection at a time.
const CONNECTIONS: usize = 64;

/// The server. Dropping it ends it.
pub(crate) struct Handover {
    address: SocketAddr,
    offers: Offers,
    _running: DropGuard,
}

/// What a build is given, and where its image goes.
pub(super) struct Offer {
    /// The CA certificates of the image's base.
    pub(super) certificates: Bytes,
    /// The source's tar.
    pub(super) source: PathBuf,
    /// How many containers of the build's pod take the source, once each.
    pub(super) takers: usize,
    /// The file that takes what is left; must not exist.
    pub(super) upload: PathBuf,
}

/// The address of one build. Dropping it ends what is going on there: an upload at once, a download
/// at its next chunk.
pub(super) struct Ticket {
    path: String,
    token: String,
    offers: Offers,
    uploads: mpsc::Receiver<Upload>,
    _over: DropGuard,
}

/// Something was left, whole.
pub(super) struct Upload {
    answer: oneshot::Sender<Result<(), String>>,
}

#[derive(Clone, Default)]
struct Offers(Arc<Mutex<HashMap<String, Open>>>);

/// An offer that stands; each part is taken once by each who is to have it.
struct Open {
    certificates: Option<Bytes>,
    source: Vec<PathBuf>,
    upload: Option<(PathBuf, mpsc::Sender<Upload>)>,
    over: CancellationToken,
}

/// One use of an address.
enum Use {
    Certificates(Bytes),
    Source(PathBuf),
    Upload(PathBuf, mpsc::Sender<Upload>),
}

impl Handover {
    /// Listens on `address`.
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let offers = Offers::default();
        let running = CancellationToken::new();
        let serving = {
            let offers = offers.clone();
            doorway::serve(listener, CONNECTIONS, move |request| {
                let offers = offers.clone();
                async move { answer(request, &offers).await }
            })
        };
        tokio::spawn(running.clone().run_until_cancelled_owned(serving));
        Ok(Self { address, offers, _running: running.drop_guard() })
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// An address for one build.
    pub(super) fn offer(&self, offer: Offer) -> io::Result<Ticket> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        let token = BASE64_URL_SAFE_NO_PAD.encode(random);
        let (sink, uploads) = mpsc::channel(1);
        let over = CancellationToken::new();
        let open = Open {
            certificates: Some(offer.certificates),
            source: vec![offer.source; offer.takers],
            upload: Some((offer.upload, sink)),
            over: over.clone(),
        };
        self.offers.lock().insert(token.clone(), open);
        Ok(Ticket {
            path: format!("/{token}"),
            token,
            offers: self.offers.clone(),
            uploads,
            _over: over.drop_guard(),
        })
    }
}

impl Ticket {
    /// The path below which the build finds its things; whoever knows it may use it.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Waits until something was left; for ever if nothing is.
    pub(super) async fn upload(&mut self) -> Upload {
        match self.uploads.recv().await {
            Some(upload) => upload,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.offers.lock().remove(&self.token);
    }
}

impl Upload {
    /// Tells the build whether it is taken.
    pub(super) fn answer(self, answer: Result<(), String>) {
        // A build that is gone has its end told elsewhere.
        let _ = self.answer.send(answer);
    }
}

impl Offers {
    /// Takes one part of an offer, which can then be taken one time less.
    fn take(&self, method: &Method, path: &str) -> Result<(Use, CancellationToken), StatusCode> {
        let (token, part) =
            path.trim_start_matches('/').split_once('/').ok_or(StatusCode::NOT_FOUND)?;
        let mut offers = self.lock();
        let open = offers.get_mut(token).ok_or(StatusCode::NOT_FOUND)?;
        let taken = match (method, part) {
            (&Method::GET, "certificates") => open.certificates.take().map(Use::Certificates),
            (&Method::GET, "source") => open.source.pop().map(Use::Source),
            (&Method::PUT, "image") => {
                open.upload.take().map(|(path, sink)| Use::Upload(path, sink))
            }
            _ => return Err(StatusCode::NOT_FOUND),
        };
        Ok((taken.ok_or(StatusCode::GONE)?, open.over.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(request: Request<Incoming>, offers: &Offers) -> Response<Content> {
    let (used, over) = match offers.take(request.method(), request.uri().path()) {
        Ok(taken) => taken,
        Err(StatusCode::GONE) => return said(StatusCode::GONE, "this address was used already"),
        Err(status) => return said(status, "there is nothing at this address (any more)"),
    };
    let answered = async {
        match used {
            Use::Certificates(bytes) => Ok(Response::new(whole(bytes))),
            Use::Source(path) => download(path, over.clone()).await,
            Use::Upload(path, sink) => take_in(request.into_body(), path, &sink).await,
        }
    };
    match over.run_until_cancelled(answered).await {
        Some(Ok(response)) => response,
        Some(Err(error)) => said(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        None => said(StatusCode::GONE, "the build is over"),
    }
}

/// The file, for as long as the build is not over: its answer is on its way long after it was made.
async fn download(path: PathBuf, over: CancellationToken) -> io::Result<Response<Content>> {
    let source = tokio::fs::File::open(path).await?;
    let look = move || {
        if over.is_cancelled() { Err(io::Error::other("the build is over")) } else { Ok(()) }
    };
    doorway::file(source, look).await
}

/// Writes the whole body to the file, then has it judged.
async fn take_in(
    body: Incoming,
    path: PathBuf,
    sink: &mpsc::Sender<Upload>,
) -> io::Result<Response<Content>> {
    if body.size_hint().lower() > IMAGE_LIMIT {
        return Ok(too_large());
    }
    let mut file = tokio::fs::File::create_new(path).await?;
    let mut frames = body.into_data_stream();
    let mut size = 0;
    loop {
        let frame = timeout(SILENCE, frames.next()).await?;
        let Some(frame) = frame else { break };
        let bytes = frame.map_err(io::Error::other)?;
        size += bytes.len() as u64;
        if size > IMAGE_LIMIT {
            return Ok(too_large());
        }
        file.write_all(&bytes).await?;
    }
    file.flush().await?;
    drop(file);
    let (answer, answered) = oneshot::channel();
    let over = || io::Error::other("the build is over");
    sink.send(Upload { answer }).await.map_err(|_| over())?;
    Ok(match answered.await.map_err(|_| over())? {
        Ok(()) => said(StatusCode::OK, "taken"),
        Err(reason) => said(StatusCode::UNPROCESSABLE_ENTITY, &reason),
    })
}

fn too_large() -> Response<Content> {
    let reason = format!("an image may have {} MiB at most", IMAGE_LIMIT >> 20);
    said(StatusCode::PAYLOAD_TOO_LARGE, &reason)
}
