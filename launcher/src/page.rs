//! The page for browsers: what runs, drawn and told, to be read and nothing else.
//!
//! What chaincode has written is data here, which the page's script shows as text; the page's policy
//! lets a browser run nothing else than that script, whatever a line may hold.

mod history;
mod host;
mod site;
#[cfg(test)]
mod tests;
mod told;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use selvedge_config::Page;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;
use url::form_urlencoded;

use self::history::Histories;
use self::host::Hosts;
use crate::api::launcher_status;
use crate::caller::Caller;
use crate::configuration::Configuration;
use crate::kept_lines::KeptLines;
use crate::opening::Entrance;
use crate::running::Running;
use crate::seen::Seen;

/// What a browser may do with the page: run its script, use its style, ask its own server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

/// What the page tells of.
#[derive(Clone)]
struct Shown(Arc<Parts>);

struct Parts {
    entrance: Entrance,
    configuration: Configuration,
    running: Running,
    seen: Seen,
    histories: Histories,
}

/// A page that is served until this is dropped.
pub(crate) struct Serving {
    _server: AbortOnDropHandle<std::io::Result<()>>,
    _watch: AbortOnDropHandle<()>,
}

/// Serves the page where the operator says, if that is anywhere.
pub(crate) async fn serve(
    page: &Page,
    entrance: Entrance,
    configuration: Configuration,
    running: Running,
    seen: Seen,
) -> std::io::Result<Option<Serving>> {
    let Some(address) = page.address else { return Ok(None) };
    if !address.ip().is_loopback() {
        warn!(%address, "the page asks nobody who he is, and is served to all who reach it");
    }
    let listener = TcpListener::bind(address).await?;
    let histories = Histories::default();
    let watch = tokio::spawn(histories.clone().keep(running.clone()));
    let parts = Parts { entrance, configuration, running, seen, histories };
    let router = router(Shown(Arc::new(parts)), page);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(Some(Serving {
        _server: AbortOnDropHandle::new(server),
        _watch: AbortOnDropHandle::new(watch),
    }))
}

fn router(shown: Shown, page: &Page) -> Router {
    let hosts = Arc::new(Hosts::new(&page.hosts));
    Router::new()
        .route("/", get(|| async { site::PAGE }))
        .route("/page.css", get(|| async { site::STYLE }))
        .route("/page.js", get(|| async { site::SCRIPT }))
        .route("/icon.svg", get(|| async { site::ICON }))
        .route("/api/status", get(status))
        .route("/api/log", get(log))
        .route("/api/build-log", get(build_log))
        .with_state(shown)
        .layer(from_fn_with_state(hosts, guard))
}

/// Answers only who names the server as it is named, and tells a browser what it may do.
async fn guard(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    let mut response = if hosts.know(host) {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, host::STRANGER).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in [
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn status(State(Shown(parts)): State<Shown>) -> Response {
    let launcher = launcher_status(&parts.entrance, &parts.configuration);
    let chaincodes = parts.running.standings();
    let histories = parts.histories.of(&chaincodes);
    let builds = parts.seen.builds.all(&Caller::Beside);
    json(&told::Status::of(launcher, chaincodes, histories, builds))
}

async fn log(State(Shown(parts)): State<Shown>, RawQuery(query): RawQuery) -> Response {
    let query = Query::of(query);
    match parts.seen.logs.find(Some(query.get("peer")), query.get("chaincode")) {
        Ok(log) => lines(&log, &query),
        Err(error) => (StatusCode::NOT_FOUND, error.to_string()).into_response(),
    }
}

async fn build_log(State(Shown(parts)): State<Shown>, RawQuery(query): RawQuery) -> Response {
    let query = Query::of(query);
    let id = query.get("id").parse().ok();
    let found = id.and_then(|id| parts.seen.builds.lines(&Caller::Beside, id));
    match found {
        Some(log) => lines(&log, &query),
        None => (StatusCode::NOT_FOUND, "no such build is known").into_response(),
    }
}

/// The lines from a number on, as many as are told at once.
fn lines(log: &Arc<KeptLines>, query: &Query) -> Response {
    let replica = Some(query.get("replica")).filter(|name| !name.is_empty());
    let mut reader = log.read(None, replica.map(str::to_owned));
    reader.skip_to(query.get("after").parse().unwrap_or_default());
    let batch = reader.next();
    json(&told::LogPart::of(batch, reader.position(), reader.end()))
}

fn json(what: &impl Serialize) -> Response {
    match serde_json::to_vec(what) {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "application/json")], Body::from(text)).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// What a request asks for: the first of each name.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(query: Option<String>) -> Self {
        let query = query.unwrap_or_default();
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Empty if there is none.
    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}
