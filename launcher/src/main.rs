//! `selvedge-launcher`: the long-running process beside a peer.
//!
//! Reads as: log, configure, start, run, drain.

mod api;
mod await_proxy;
mod backend;
mod build_job;
mod certificates;
mod chaincode;
mod data;
mod deadline;
mod desertion;
mod error_chain;
mod kubernetes;
mod last_lines;
mod launch;
mod lines;
mod local;
mod registry;
mod removal;
mod run_log;
mod running;
mod settings;
mod socket;
mod source;
mod tls;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use selvedge_proto::launcher::launcher_server::LauncherServer;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tracing::info;
use tracing_subscriber::EnvFilter;

use crate::api::LauncherApi;
use crate::backend::Backend;
use crate::data::DataDirectory;
use crate::kubernetes::KubernetesBackend;
use crate::local::{LocalBackend, guard};
use crate::running::Running;
use crate::settings::{BackendKind, Command, Settings};
use crate::socket::ApiSocket;

/// What the chaincodes may take to stop; longer than each takes by itself.
const SHUTDOWN: Duration = Duration::from_secs(6);

/// What the builders may take to read their last answer.
const FAREWELL: Duration = Duration::from_millis(500);

fn main() -> anyhow::Result<ExitCode> {
    if let Some(order) = guard::Order::read(std::env::args_os()) {
        order.obey()?;
        return Ok(ExitCode::SUCCESS);
    }
    let settings = Settings::read();
    match settings.command {
        Some(Command::AwaitProxy(order)) => {
            await_proxy::run(&order);
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::BuildJob(job)) => return Ok(build_job::run(&job)),
        Some(Command::CopySelf(copy)) => {
            build_job::copy_self(&copy)
                .with_context(|| format!("cannot write {}", copy.to.display()))?;
            return Ok(ExitCode::SUCCESS);
        }
        None => {}
    }
    log(&settings.log)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let outcome = runtime.block_on(run(settings));
    // What still hangs is not worth waiting for: all that matters has ended by now.
    runtime.shutdown_timeout(Duration::from_millis(100));
    outcome.map(|()| ExitCode::SUCCESS)
}

fn log(filter: &str) -> anyhow::Result<()> {
    // What its client says of the Kubernetes API, the launcher says in one line.
    let filter = format!("kube_client=off,kube_runtime=off,{filter}");
    let filter = EnvFilter::builder().parse(filter).context("the log filter is malformed")?;
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal)
        .init();
    Ok(())
}

async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut stop = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;

    let data = DataDirectory::open(&settings.data_dir)?;
    let backend: Arc<dyn Backend> = match settings.backend {
        BackendKind::Local => Arc::new(LocalBackend::open(&data, settings.images_limit.as_u64())?),
        BackendKind::Kubernetes => {
            Arc::new(KubernetesBackend::open(&settings.kubernetes, &data).await?)
        }
    };
    let running = Running::default();
    let socket = ApiSocket::bind(&settings.listen)?;
    let api = LauncherApi::new(Arc::clone(&backend), running.clone(), data, settings.limits());
    info!(version = env!("CARGO_PKG_VERSION"), address = %settings.listen, "launcher is ready");

    let closing = CancellationToken::new();
    let server = tonic::transport::Server::builder()
        .add_service(LauncherServer::new(api))
        .serve_with_incoming_shutdown(
            UnixListenerStream::new(socket.listener()?),
            closing.clone().cancelled_owned(),
        );
    let mut server = tokio::spawn(server);
    tokio::select! {
        served = &mut server => served?.context("cannot serve the builders")?,
        _ = stop.recv() => {}
        _ = interrupt.recv() => {}
    }

    info!("stopping");
    running.stop_all(SHUTDOWN).await;
    backend.close().await;
    closing.cancel();
    // What is still open by then is a build, which ends with this process.
    let _ = timeout(FAREWELL, server).await;
    Ok(())
}
