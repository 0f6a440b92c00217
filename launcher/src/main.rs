//! `selvedge-launcher`: the long-running process beside a peer.
//!
//! Reads as: configure, log, listen, look around, run, drain.

mod apart;
mod api;
mod await_proxy;
mod backend;
mod backoff;
mod bounds;
mod build_job;
mod build_records;
mod caller;
mod certificate_forms;
mod certificates;
mod chaincode;
mod configuration;
mod copy_builders;
mod data;
mod deadline;
mod desertion;
mod doorway;
mod epoch;
mod error_chain;
mod estate;
mod examination;
mod health;
mod image_reference;
mod keeper;
mod kept_lines;
mod kubernetes;
mod last_lines;
mod lines;
mod loading;
mod local;
mod logs;
mod metrics;
mod opening;
mod orders;
mod page;
mod removal;
mod restarts;
mod roll;
mod run_log;
mod running;
mod seats;
mod seen;
mod settings;
mod socket;
mod source;
mod standing;
mod stop;
mod subjects;
mod this_program;
mod tls;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use selvedge_config::BackendKind;
use selvedge_proto::launcher::launcher_server::LauncherServer;
use tokio::net::UnixListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::Server;
use tracing::info;
use tracing_subscriber::EnvFilter;

use crate::apart::Door;
use crate::api::{LauncherApi, Way};
use crate::backend::Backend;
use crate::configuration::Configuration;
use crate::data::DataDirectory;
use crate::error_chain::one_line;
use crate::kubernetes::KubernetesBackend;
use crate::local::LocalBackend;
use crate::local::confinement::Confinement;
use crate::opening::{Opening, Works};
use crate::running::Running;
use crate::seen::Seen;
use crate::settings::{Command, Settings};
use crate::socket::ApiSocket;

/// What the chaincodes may take to stop; longer than each takes by itself.
const SHUTDOWN: Duration = Duration::from_secs(6);

/// What the builders may take to read their last answer.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long a connection from apart may be quiet until it is asked whether somebody is there, and how
/// long the answer may take.
const QUIET: Duration = Duration::from_secs(20);

fn main() -> anyhow::Result<ExitCode> {
    if let Some(ended) = orders::obey() {
        return Ok(ended);
    }
    let settings = Settings::read();
    match settings.command {
        Some(Command::Issue(issue)) => {
            issue.run()?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::AwaitProxy(order)) => {
            await_proxy::run(&order)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::BuildJob(job)) => return Ok(build_job::run(&job)),
        Some(Command::FetchJob(job)) => return Ok(build_job::run_fetch(&job)),
        Some(Command::MirrorJob(job)) => return Ok(build_job::run_mirror(&job)),
        Some(Command::CopyBuilders(order)) => {
            copy_builders::run(&order)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::CopySelf(copy)) => {
            build_job::copy_self(&copy)
                .with_context(|| format!("cannot write {}", copy.to.display()))?;
            return Ok(ExitCode::SUCCESS);
        }
        None => {}
    }
    keep_to_itself()?;
    log(&settings.log)?;
    tls::choose_provider();
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let outcome = runtime.block_on(run(settings));
    // What still hangs is not worth waiting for: all that matters has ended by now.
    runtime.shutdown_timeout(Duration::from_millis(100));
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Lets no other process of its user look into this one, or have it write what it knows to the disk:
/// its environment, its memory, its files (`PR_SET_DUMPABLE` of `prctl(2)`, `ptrace(2)`). It has the keys
/// of all chaincode, and what it starts has its user. What it starts is without this.
fn keep_to_itself() -> anyhow::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("cannot keep others out of it")
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
    let mut signals = Signals::listen()?;
    let (configuration, watcher) = configuration::open(settings.config.as_deref())?;
    let _watch = watcher.map(|watcher| AbortOnDropHandle::new(tokio::spawn(watcher.watch())));
    let mut socket = ApiSocket::bind(&settings.listen)?;
    let (opening, entrance) = opening::begin();
    let (running, seen) = (Running::default(), Seen::default());
    let _health = match configuration.now().health().address {
        Some(address) => {
            let (entrance, configuration) = (entrance.clone(), configuration.clone());
            let (running, seen) = (running.clone(), seen.clone());
            let served = health::serve(address, entrance, configuration, running, seen).await;
            Some(served.with_context(|| format!("cannot serve health on {address}"))?)
        }
        None => None,
    };
    let page = configuration.now().page().clone();
    let _page = {
        let (entrance, configuration) = (entrance.clone(), configuration.clone());
        let served = page::serve(&page, entrance, configuration, running.clone(), seen.clone());
        served.await.with_context(|| match page.address {
            Some(address) => format!("cannot serve the page on {address}"),
            None => "cannot serve the page".to_owned(),
        })?
    };
    let door = match configuration.now().apart() {
        Some(apart) => {
            let authority = settings.authority.directory(&settings.data_dir);
            let door = Door::open(apart, &authority, configuration.clone()).await;
            Some(door.context("cannot let in peers from apart")?)
        }
        None => None,
    };
    let api = LauncherApi::new(entrance, running.clone(), configuration.clone(), seen);
    let (leaving, closing) = (CancellationToken::new(), CancellationToken::new());
    let served = serve(socket.listener()?, door, api, leaving.clone(), closing.clone());
    let mut server = tokio::spawn(served);

    // Who calls from now on waits for the rest.
    let worked = tokio::select! {
        worked = work(&settings, &configuration, running.clone(), &opening, &mut signals) => worked,
        served = &mut server => {
            served?.context("cannot serve the builders")?;
            return Ok(());
        }
    };
    if let Ok(Some(works)) = &worked {
        info!("stopping");
        socket.leave();
        leaving.cancel();
        running.stop_all(SHUTDOWN).await;
        works.backend.close().await;
    }
    drop(opening);
    closing.cancel();
    // What is still open by then is a build, which ends with this process.
    let _ = timeout(FAREWELL, server).await;
    worked.map(drop)
}

/// Serves the builders until `closing` fires: those beside the launcher, and those that are let in at
/// the door, of whom new ones come until `leaving` does.
async fn serve(
    beside: UnixListener,
    door: Option<Door>,
    api: LauncherApi,
    leaving: CancellationToken,
    closing: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let apart = async {
        let Some(door) = door else { return Ok(()) };
        let service = LauncherServer::new(api.by(Way::Apart));
        // A node that is gone closes no connection, and what its peer called for would stay.
        let server = Server::builder()
            .http2_keepalive_interval(Some(QUIET))
            .http2_keepalive_timeout(Some(QUIET))
            .add_service(service);
        server.serve_with_incoming_shutdown(door.arrivals(leaving), closing.cancelled()).await
    };
    let service = LauncherServer::new(api.by(Way::Beside));
    let beside = Server::builder()
        .add_service(service)
        .serve_with_incoming_shutdown(UnixListenerStream::new(beside), closing.cancelled());
    tokio::try_join!(beside, apart).map(drop)
}

/// Looks around, opens, and works until the launcher is told to stop; `None` if that was before.
async fn work(
    settings: &Settings,
    configuration: &Configuration,
    running: Running,
    opening: &Opening,
    signals: &mut Signals,
) -> anyhow::Result<Option<Arc<Works>>> {
    let opened = tokio::select! {
        opened = look_around(settings, configuration) => opened,
        () = signals.received() => return Ok(None),
    };
    let works = opened.inspect_err(|error| opening.fail(one_line(error.as_ref())))?;
    let works = Arc::new(works);
    let peer = works.backend.peer().to_owned();
    let looking = subjects::look_for_overrides_of_nobody(running, peer, configuration.clone());
    let _looking = AbortOnDropHandle::new(tokio::spawn(looking));
    opening.open(Arc::clone(&works));
    info!(version = env!("CARGO_PKG_VERSION"), address = %settings.listen, "launcher is ready");
    signals.received().await;
    Ok(Some(works))
}

async fn look_around(settings: &Settings, configuration: &Configuration) -> anyhow::Result<Works> {
    let data = DataDirectory::open(&settings.data_dir)?;
    let backend: Arc<dyn Backend> = match configuration.now().backend() {
        BackendKind::Local => {
            let confinement = Confinement::find(&data).await;
            let tools = settings.tools_dir.clone().filter(|place| !place.as_os_str().is_empty());
            let tools = tools.unwrap_or_else(|| data.tools());
            let backend =
                LocalBackend::open(&settings.place, configuration, &data, &tools, confinement)?;
            Arc::new(backend)
        }
        BackendKind::Kubernetes => {
            Arc::new(KubernetesBackend::open(&settings.place, configuration.clone(), &data).await?)
        }
    };
    Ok(Works { backend, data })
}

/// The signals by which the launcher is told to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
