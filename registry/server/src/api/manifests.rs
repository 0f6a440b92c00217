//! Manifests, and what lists them: tags, and what refers to one.

use axum::body::{Body, BodyDataStream};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LINK, LOCATION};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::ManifestName;
use serde_json::json;
use tokio_stream::StreamExt;

use super::at::{At, DIGEST, digest};
use super::linger::heard;
use super::query::{Query, escaped};
use crate::fault::Fault;
use crate::manifest::{LARGEST, Manifest};

/// What a list of what refers to a manifest is.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A manifest. `HEAD` is answered by the same, without the content.
pub(super) async fn get(
    State(at): State<At>,
    Path(named): Path<String>,
) -> Result<Response, Fault> {
    let name = name(&named)?;
    let found = at.blocking(move |store| store.manifest(&name)).await?;
    let (manifest, bytes) = found.ok_or(Fault::ManifestUnknown(named))?;
    let headers = [
        (CONTENT_LENGTH, bytes.len().to_string()),
        (CONTENT_TYPE, manifest.media_type().to_string()),
    ];
    Ok((headers, [(DIGEST, manifest.digest().to_string())], bytes).into_response())
}

/// Takes a manifest.
pub(super) async fn put(
    State(at): State<At>,
    Path(named): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let name = name(&named)?;
    let media_type = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let media_type = media_type.ok_or(Fault::Header(CONTENT_TYPE))?;
    let mut body = body.into_data_stream();
    let bytes = whole(&mut body).await;
    let bytes = heard(bytes, body, &headers).await?;
    let digest = Sha256::of(&bytes);
    let tag = match name {
        ManifestName::Digest(said) if said != digest => {
            return Err(Fault::Lie { said, sent: digest });
        }
        ManifestName::Digest(_) => None,
        ManifestName::Tag(tag) => Some(tag),
    };
    let manifest = Manifest::read(&bytes, media_type).map_err(Fault::Manifest)?;
    let subject = manifest.subject.map(|subject| [("oci-subject", subject.to_string())]);
    let entered = at.blocking(move |store| {
        let _room = store.promise(bytes.len() as u64)?;
        store.enter(&manifest, &bytes, tag.as_ref())
    });
    entered.await?;
    let location = at.path(&format!("manifests/{digest}"));
    let mut response =
        (StatusCode::CREATED, [(LOCATION, location)], [(DIGEST, digest.to_string())])
            .into_response();
    if let Some([(name, subject)]) = subject
        && let Ok(subject) = subject.try_into()
    {
        response.headers_mut().insert(name, subject);
    }
    Ok(response)
}

/// The tags, all or a number of them after one of them.
pub(super) async fn tags(State(at): State<At>, uri: Uri) -> Result<Response, Fault> {
    let query = Query::of(&uri);
    let most = query.get("n").and_then(|most| most.parse::<usize>().ok());
    let last = query.get("last").unwrap_or_default().to_owned();
    let tags = at.blocking(|store| store.tags()).await?;
    let mut tags: Vec<String> = tags.into_iter().filter(|tag| *tag > last).collect();
    let are_more = most.is_some_and(|most| most < tags.len());
    tags.truncate(most.unwrap_or(tags.len()));
    let next = tags.last().filter(|_| are_more).map(|last| {
        let path = at.path("tags/list");
        format!("<{path}?n={}&last={}>; rel=\"next\"", tags.len(), escaped(last))
    });
    let body = json!({ "name": &*at.name, "tags": tags });
    let mut response = ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response();
    if let Some(next) = next.and_then(|next| next.try_into().ok()) {
        response.headers_mut().insert(LINK, next);
    }
    Ok(response)
}

/// What refers to a manifest, all or that of one type.
pub(super) async fn referrers(
    State(at): State<At>,
    Path(named): Path<String>,
    uri: Uri,
) -> Result<Response, Fault> {
    let subject = digest(&named)?;
    let query = Query::of(&uri);
    let kind = query.get("artifactType");
    let mut referrers = at.blocking(move |store| store.referrers(subject)).await?;
    if let Some(kind) = kind {
        referrers.retain(|referrer| {
            referrer.artifact_type().as_ref().is_some_and(|own| own.as_ref() == kind)
        });
    }
    let body = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": referrers });
    let mut response = ([(CONTENT_TYPE, INDEX)], body.to_string()).into_response();
    if kind.is_some() {
        let filters = http::HeaderValue::from_static("artifactType");
        response.headers_mut().insert("oci-filters-applied", filters);
    }
    Ok(response)
}

/// All of a body that is no larger than manifests are.
async fn whole(frames: &mut BodyDataStream) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|error| Fault::Manifest(error.to_string()))?;
        if (bytes.len() + frame.len()) as u64 > LARGEST {
            return Err(Fault::ManifestTooLarge(LARGEST));
        }
        bytes.extend_from_slice(&frame);
    }
    Ok(bytes)
}

/// A digest, or a tag.
fn name(text: &str) -> Result<ManifestName, Fault> {
    if text.contains(':') {
        return digest(text).map(ManifestName::Digest);
    }
    let tag = text.parse().map_err(|_| Fault::Reference(text.to_owned()))?;
    Ok(ManifestName::Tag(tag))
}
