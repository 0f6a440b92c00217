//! What the launcher answers to who asks how it is: `/healthz` and `/readyz`, as Kubernetes' own
//! programs do, and `/metrics`.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::api::launcher_status;
use crate::configuration::Configuration;
use crate::metrics;
use crate::opening::Entrance;
use crate::running::Running;
use crate::seen::Seen;

/// What is asked about.
#[derive(Clone)]
struct Asked {
    entrance: Entrance,
    configuration: Configuration,
    running: Running,
    seen: Seen,
}

/// Answers at an address until what is returned is dropped.
pub(crate) async fn serve(
    address: SocketAddr,
    entrance: Entrance,
    configuration: Configuration,
    running: Running,
    seen: Seen,
) -> std::io::Result<AbortOnDropHandle<std::io::Result<()>>> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Asked { entrance, configuration, running, seen });
    let listener = TcpListener::bind(address).await?;
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(AbortOnDropHandle::new(serving))
}

/// Ready is who lets builders in. A file that is refused makes nobody unready: all goes on by the
/// last one that was right, and who asks is told.
async fn ready(State(asked): State<Asked>) -> (StatusCode, String) {
    let (status, launcher) = match asked.entrance.now() {
        Ok(_) => (StatusCode::OK, "[+] launcher ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("[-] launcher: {reason}\n")),
    };
    let file = match asked.configuration.refusal() {
        None => "[+] operator's file ok\n".to_owned(),
        Some(reason) => {
            format!("[!] operator's file refused, what was in force stays: {reason}\n")
        }
    };
    (status, launcher + &file)
}

async fn metrics(State(asked): State<Asked>) -> impl IntoResponse {
    let launcher = launcher_status(&asked.entrance, &asked.configuration);
    let builds = asked.seen.builds.counts();
    let told = metrics::told(&launcher, &asked.running.standings(), &builds);
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], told)
}
