//! Uploads of blobs: at once, or begun, gone on with and ended.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use selvedge_buildpack::digest::Sha256;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_stream::StreamExt;

use super::at::{At, DIGEST, digest};
use super::linger::heard;
use super::query::Query;
use crate::fault::{Fault, upto};
use crate::store::{Unnamed, Upload, UploadId};

/// For how much an upload asks for room at once that does not say how long it is, in bytes.
const STEP: u64 = 256 << 10;

/// How long a client may say nothing while it sends.
const SILENCE: Duration = Duration::from_secs(30);

/// Begins an upload; takes a blob that comes along, or that is there already.
pub(super) async fn begin(
    State(at): State<At>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let query = Query::of(&uri);
    if let Some(named) = query.get("digest") {
        let mut body = body.into_data_stream();
        let done = at_once(&at, digest(named)?, &headers, &mut body).await;
        return heard(done, body, &headers).await;
    }
    if let Some(Ok(blob)) = query.get("mount").map(str::parse::<Sha256>)
        && at.blocking(move |store| store.offers(blob)).await?
    {
        return Ok(at.taken(blob));
    }
    let id = at.blocking(|store| store.begin()).await?;
    Ok(at.so_far(StatusCode::ACCEPTED, &id, 0))
}

/// A whole blob in one request.
async fn at_once(
    at: &At,
    blob: Sha256,
    headers: &HeaderMap,
    body: &mut BodyDataStream,
) -> Result<Response, Fault> {
    let length = length(headers)?;
    at.expect(length.unwrap_or(0)).await?;
    let unnamed = at.blocking(Unnamed::begin).await?;
    let id = unnamed.id();
    let upload = at.blocking(|store| store.go_on(id)).await?;
    let upload = at.write(upload, length, body).await?;
    at.blocking(move |store| store.finish(&upload, blob)).await?;
    drop(unnamed);
    Ok(at.taken(blob))
}

/// How much of an upload is there.
pub(super) async fn status(
    State(at): State<At>,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let id = UploadId::parse(&id)?;
    let asked = id.clone();
    let size = at.blocking(move |store| store.uploaded(&asked)).await?;
    Ok(at.so_far(StatusCode::NO_CONTENT, &id, size))
}

/// Takes a further part of an upload.
pub(super) async fn go_on(
    State(at): State<At>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let mut body = body.into_data_stream();
    let upload = at.further(&id, &headers, &mut body).await;
    let upload = heard(upload, body, &headers).await?;
    Ok(at.so_far(StatusCode::ACCEPTED, &upload.id, upload.size))
}

/// Takes the last part of an upload, which may be nothing, and makes a blob of it.
pub(super) async fn finish(
    State(at): State<At>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let query = Query::of(&uri);
    let named = query.get("digest").ok_or_else(|| Fault::Digest(String::new()))?;
    let blob = digest(named)?;
    let mut body = body.into_data_stream();
    let upload = at.further(&id, &headers, &mut body).await;
    let upload = heard(upload, body, &headers).await?;
    at.blocking(move |store| store.finish(&upload, blob)).await?;
    Ok(at.taken(blob))
}

/// Forgets an upload.
pub(super) async fn cancel(
    State(at): State<At>,
    Path(id): Path<String>,
) -> Result<StatusCode, Fault> {
    let id = UploadId::parse(&id)?;
    at.blocking(move |store| store.cancel(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl At {
    /// Adds what a request brings to an upload, if it goes on where that ended.
    async fn further(
        &self,
        id: &str,
        headers: &HeaderMap,
        body: &mut BodyDataStream,
    ) -> Result<Upload, Fault> {
        let (id, length, part) = (UploadId::parse(id)?, length(headers)?, part(headers)?);
        let upload = self.blocking(move |store| store.go_on(id)).await?;
        if let Some((first, last)) = part {
            if first != upload.size {
                let location = self.upload(&upload.id);
                return Err(Fault::OutOfOrder { location, size: upload.size });
            }
            if length.is_some_and(|length| last.checked_sub(first) != length.checked_sub(1)) {
                return Err(Fault::Header(CONTENT_RANGE));
            }
        }
        self.write(upload, length, body).await
    }

    /// Refuses what there is no room for before any of it comes.
    async fn expect(&self, bytes: u64) -> Result<(), Fault> {
        self.blocking(move |store| store.promise(bytes).map(drop)).await
    }

    /// Writes what comes to the end of an upload. What has come stays there if the rest does not, so
    /// that the client can go on; if there is no room for it, all of it goes.
    async fn write(
        &self,
        upload: Upload,
        length: Option<u64>,
        body: &mut BodyDataStream,
    ) -> Result<Upload, Fault> {
        let Upload { id, file, size } = upload;
        let mut file = File::from_std(file);
        let written = self.pour(body, &mut file, length).await;
        let flushed = file.flush().await;
        let file = file.into_std().await;
        match written {
            Ok(bytes) => {
                flushed?;
                Ok(Upload { id, file, size: size + bytes })
            }
            Err(fault) => {
                if matches!(fault, Fault::NoRoom { .. } | Fault::Full | Fault::TooLarge { .. }) {
                    self.blocking(move |store| store.cancel(&id)).await?;
                }
                Err(fault)
            }
        }
    }

    /// How many bytes have come.
    async fn pour(
        &self,
        body: &mut BodyDataStream,
        file: &mut File,
        length: Option<u64>,
    ) -> Result<u64, Fault> {
        let (mut written, ahead) = (0, length.unwrap_or(STEP));
        let mut promise = self.blocking(move |store| store.promise(ahead)).await?;
        loop {
            let next = timeout(SILENCE, body.next()).await;
            let next = next.map_err(|_| Fault::Upload("nothing came for a while".to_owned()))?;
            let Some(chunk) = next else { return Ok(written) };
            let chunk = chunk.map_err(|error| Fault::Upload(error.to_string()))?;
            let bytes = chunk.len() as u64;
            if bytes > promise.left() {
                let more = bytes.max(STEP);
                drop(promise);
                promise = self.blocking(move |store| store.promise(more)).await?;
            }
            file.write_all(&chunk).await?;
            promise.written(bytes);
            written += bytes;
        }
    }

    fn upload(&self, id: &UploadId) -> String {
        self.path(&format!("blobs/uploads/{id}"))
    }

    fn so_far(&self, status: StatusCode, id: &UploadId, size: u64) -> Response {
        (status, [(LOCATION, self.upload(id)), (RANGE, upto(size))]).into_response()
    }

    fn taken(&self, blob: Sha256) -> Response {
        let digest = [(DIGEST, blob.to_string())];
        (StatusCode::CREATED, [(LOCATION, self.blob(blob))], digest).into_response()
    }
}

/// How many bytes are said to come.
fn length(headers: &HeaderMap) -> Result<Option<u64>, Fault> {
    let Some(said) = headers.get(CONTENT_LENGTH) else { return Ok(None) };
    let length = said.to_str().ok().and_then(|said| said.parse().ok());
    length.map(Some).ok_or(Fault::Header(CONTENT_LENGTH))
}

/// Which part of an upload is said to come: its first and its last byte.
fn part(headers: &HeaderMap) -> Result<Option<(u64, u64)>, Fault> {
    let Some(said) = headers.get(CONTENT_RANGE) else { return Ok(None) };
    let part = said.to_str().ok().and_then(|said| {
        let said = said.strip_prefix("bytes ").unwrap_or(said);
        let said = said.split('/').next().unwrap_or(said);
        let (first, last) = said.split_once('-')?;
        Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
    });
    part.map(Some).ok_or(Fault::Header(CONTENT_RANGE))
}
