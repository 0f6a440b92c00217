//! The registry that this launcher serves, where no other keeps the images (`registry.serve`): nodes pull
//! at a port of its pod, and it pushes by its own loopback, at a port and with a password that it tells
//! nobody. What nodes reach has no way to write.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::LayoutError;
use selvedge_config::Serve;
use selvedge_manifest::PullLogin;
use selvedge_registry::{InvalidRepository, Registry, RegistryAuth, RegistryError, Repository};
use selvedge_registry_server::{Bounds, Login, Rights, Store, router};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;
use tokio::time::interval;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt;
use tracing::info;

use crate::data::{DataDirectory, lock_in};
use crate::doorway;

/// The user as whom nodes pull.
const NODE: &str = "node";

/// The user as whom the launcher pushes.
const LAUNCHER: &str = "launcher";

/// The file with the password by which nodes pull: pods that outlive a launcher have it.
const PASSWORD: &str = "pull-password";

/// How long an upload that nobody goes on with, and a blob of no image, may lie there.
const UNFINISHED: Duration = Duration::from_mins(15);

/// How often it is looked whether something does.
const TENDED: Duration = Duration::from_mins(5);

/// How many may be connected at once.
const CONNECTIONS: usize = 64;

/// Why images cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(
        "cannot keep images in {path} (registry.serve): it has to be a directory that the launcher's user \
         may write to, see docs/registry.md"
    )]
    Directory { path: PathBuf, source: io::Error },
    #[error("cannot keep images in {path} (registry.serve)")]
    Layout { path: PathBuf, source: LayoutError },
    #[error(
        "another launcher keeps its images in {0} (registry.serve): a volume is one peer's, and its old \
         pod has to end before the new one starts"
    )]
    Taken(PathBuf),
    #[error("registry.serve.address is none")]
    Address(#[from] InvalidRepository),
    #[error("cannot listen on {address}; choose another port with registry.serve.port")]
    Port { address: SocketAddr, source: io::Error },
    #[error("cannot ask it")]
    Ask(#[from] RegistryError),
}

/// The registry. Dropping it ends it.
pub(super) struct Served {
    volume: Volume,
    /// What nodes call the repository.
    repository: Repository,
    /// What the launcher calls it.
    own: Repository,
    push: Login,
    _tasks: [AbortOnDropHandle<()>; 3],
}

/// What there is on the volume.
struct Volume {
    store: Arc<Store>,
    pull: Login,
    _lock: File,
}

impl Served {
    /// Opens what is kept in the data directory, the port for nodes at that address, and one for the
    /// launcher itself.
    pub(super) async fn open(
        serve: &Serve,
        data: &DataDirectory,
        address: IpAddr,
    ) -> Result<Self, ServeError> {
        let directory = data.registry();
        let bounds = Bounds { limit: serve.limit.as_u64(), unfinished: UNFINISHED };
        let volume = Volume::open(directory.clone(), bounds).await?;
        let push = Login::random(LAUNCHER)
            .map_err(|source| ServeError::Directory { path: directory, source })?;
        let pulled = listen(SocketAddr::new(address, serve.port)).await?;
        let pushed = listen(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).await?;
        let repository = named(&serve.address)?;
        let own = named(&address_of(&pushed).to_string())?;
        info!(
            address = serve.address,
            port = address_of(&pulled).port(),
            limit = %serve.limit,
            "images are served to the nodes"
        );
        let tasks = [
            answering(pulled, router(&volume.store, repository.name(), Rights::Pull, &volume.pull)),
            answering(pushed, router(&volume.store, own.name(), Rights::Push, &push)),
            tending(Arc::clone(&volume.store)),
        ];
        Ok(Self { volume, repository, own, push, _tasks: tasks })
    }

    /// What nodes call the repository.
    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The way to push to it, and to look what is there.
    pub(super) fn registry(&self) -> Result<Registry, RegistryError> {
        of(&self.own, &self.push)
    }

    /// The way that nodes take, by another address of theirs than the one that they are told.
    pub(super) fn as_nodes_do(&self, registry: &str) -> Result<Registry, ServeError> {
        Ok(of(&named(registry)?, &self.volume.pull)?)
    }

    /// By what nodes pull.
    pub(super) fn login(&self) -> PullLogin {
        PullLogin {
            registry: self.repository.registry().to_owned(),
            user: self.volume.pull.user.to_owned(),
            password: self.volume.pull.password.clone(),
        }
    }

    /// Keeps the image, if it is here, for as long as what is returned lives.
    pub(super) fn need(&self, image: Sha256) -> Arc<()> {
        self.volume.store.need(image)
    }
}

impl Volume {
    async fn open(directory: PathBuf, bounds: Bounds) -> Result<Self, ServeError> {
        let path = directory.clone();
        let opened = spawn_blocking(move || Self::open_now(&path, bounds)).await;
        opened.map_err(|error| ServeError::Directory { path: directory, source: error.into() })?
    }

    fn open_now(path: &Path, bounds: Bounds) -> Result<Self, ServeError> {
        let unusable = |source: io::Error| ServeError::Directory { path: path.into(), source };
        fs::create_dir_all(path).map_err(unusable)?;
        let lock = lock_in(path).map_err(unusable)?;
        let lock = lock.ok_or_else(|| ServeError::Taken(path.into()))?;
        let store = Store::open(path, bounds)
            .map_err(|source| ServeError::Layout { path: path.into(), source })?;
        let pull = Login::kept(NODE, &path.join(PASSWORD)).map_err(unusable)?;
        Ok(Self { store, pull, _lock: lock })
    }
}

fn named(registry: &str) -> Result<Repository, InvalidRepository> {
    format!("{registry}/{}", Serve::PREFIX).parse()
}

fn of(repository: &Repository, login: &Login) -> Result<Registry, RegistryError> {
    let auth = RegistryAuth::Basic(login.user.to_owned(), login.password.clone());
    Registry::new(repository, true, auth)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| ServeError::Port { address, source })
}

fn address_of(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("what listens has an address")
}

fn answering(listener: TcpListener, router: Router) -> AbortOnDropHandle<()> {
    let answer = move |request: Request<Incoming>| {
        let router = router.clone();
        async move {
            let answered = router.oneshot(request.map(Body::new)).await;
            answered.unwrap_or_else(|never| match never {})
        }
    };
    AbortOnDropHandle::new(tokio::spawn(doorway::serve(listener, CONNECTIONS, answer)))
}

fn tending(store: Arc<Store>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut looks = interval(TENDED);
        loop {
            looks.tick().await;
            let store = Arc::clone(&store);
            // What fails is told there.
            let _ = spawn_blocking(move || store.tend()).await;
        }
    }))
}
