//! `mirror-job`: what runs beside a build that finds out what it needs by running it. It alone has
//! credentials for the repository, and the right to write to what builds share; the build reaches it
//! by the loopback of their pod, and nothing else does.
//!
//! What a build can have it do is to bring a file of the repository, and to keep that if it lasts.

mod account;
mod ahead;
mod answer;
mod keep;
mod needs;
mod order;
mod origin;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use selvedge_buildpack::language::Language;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use self::answer::Mirroring;
use self::keep::Keep;
use self::origin::{Origin, OriginError};
use crate::doorway;

pub(crate) use self::ahead::MOST;
pub(super) use self::answer::{ACCOUNT, NEEDS};
pub(crate) use self::order::MirrorJob;

/// How many a build may be connected with at once: Maven fetches five files at a time.
const CONNECTIONS: usize = 32;

/// Why there is no mirror.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MirrorError {
    #[error("the language {0} has no repository that is mirrored")]
    NoRepository(Language),
    #[error(transparent)]
    Origin(#[from] OriginError),
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot start")]
    Start(#[source] io::Error),
}

/// Mirrors until the build is over, which the kubelet says by SIGTERM.
pub(super) fn run(job: &MirrorJob) -> Result<(), MirrorError> {
    crate::tls::choose_provider();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(MirrorError::Start)?;
    let ended = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(MirrorError::Start)?;
        let repository = job.language.mirror().map(|mirror| std::env::var(mirror.variable()));
        let (_, serving) = serve(job, repository.and_then(Result::ok).as_deref()).await?;
        tokio::select! {
            () = serving => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    });
    // A look at what is kept may still go on.
    runtime.shutdown_background();
    ended
}

/// Listens, and is ready to serve the repository, or another in its place; where, and what does it.
pub(crate) async fn serve(
    job: &MirrorJob,
    other: Option<&str>,
) -> Result<(SocketAddr, impl Future<Output = ()> + use<>), MirrorError> {
    let mirror = job.language.mirror().ok_or(MirrorError::NoRepository(job.language))?;
    let address = other.filter(|address| !address.is_empty()).unwrap_or(mirror.address());
    let (authorities, credentials) = (job.authorities.as_deref(), job.credentials.as_deref());
    let origin = Origin::new(address, authorities, credentials)?;
    let keep = Keep::open(job, mirror, origin.address());
    let listen = |source| MirrorError::Listen { address: job.listen, source };
    let listener = TcpListener::bind(job.listen).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    println!("bringing files of {}", origin.address());
    let mirroring = Arc::new(Mirroring::new(mirror, origin, keep));
    let answer = move |request| Arc::clone(&mirroring).answer(request);
    Ok((address, doorway::serve(listener, CONNECTIONS, answer)))
}
