//! Blobs, whole or in part.

use std::io::{Seek, SeekFrom};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::at::{At, DIGEST, Rights, digest};
use crate::fault::Fault;
use crate::range::Wanted;

/// What is read of a blob at once, in bytes.
const CHUNK: usize = 64 << 10;

/// A blob. `HEAD` is answered by the same, without the content.
pub(super) async fn get(
    State(at): State<At>,
    Path(named): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let blob = digest(&named)?;
    let rights = at.rights;
    let found = at.blocking(move |store| {
        // Who pushes leaves out what is there.
        if rights == Rights::Push {
            store.offers(blob)?;
        }
        store.blob(blob)
    });
    let (mut file, size) = found.await?.ok_or(Fault::BlobUnknown(blob))?;
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let (status, first, length) = match Wanted::of(range, size) {
        Wanted::All => (StatusCode::OK, 0, size),
        Wanted::Part(part) => {
            let (first, last) = part.into_inner();
            (StatusCode::PARTIAL_CONTENT, first, last + 1 - first)
        }
        Wanted::Nothing => return Err(Fault::Range(size)),
    };
    file.seek(SeekFrom::Start(first))?;
    let content = ReaderStream::with_capacity(File::from_std(file).take(length), CHUNK);
    let headers = [
        (ACCEPT_RANGES, "bytes".to_owned()),
        (CONTENT_LENGTH, length.to_string()),
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
    ];
    let digest = [(DIGEST, blob.to_string())];
    let mut response = (status, headers, digest, Body::from_stream(content)).into_response();
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(part) = format!("bytes {first}-{}/{size}", first + length - 1).try_into()
    {
        response.headers_mut().insert(CONTENT_RANGE, part);
    }
    Ok(response)
}
