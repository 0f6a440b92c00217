//! A Fabric network: one orderer, one peer for each organisation, one channel, TLS throughout.

mod plan;
mod remote;
mod sites;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use thiserror::Error;

use crate::binaries::Binaries;
use crate::chaincode::Definition;
use crate::cli::CliError;
use crate::client::PeerClient;
use crate::log::{LineMissing, Log, Mark};
use crate::material::Address;
use crate::material::core_config::{ChaincodeLimits, ExternalBuilder};
use crate::orderer::{Orderer, OrdererError};
use crate::peer::Peer;
use crate::ports::{Port, PortError};
use crate::process::ServerError;
use crate::scratch::{Scratch, ScratchError};
use plan::Plan;
use sites::Sites;

pub use remote::RemoteNetwork;
pub use sites::Site;

/// Organisations must know each other's peers before private data or the gateway can use them.
const GOSSIP_LIMIT: Duration = Duration::from_mins(1);

/// A port may be taken by somebody else between our look and the server's bind.
const ATTEMPTS: usize = 3;

/// What network to raise.
#[derive(Clone, Debug)]
pub struct NetworkSpec {
    /// One for each organisation, at least one.
    pub peers: Vec<PeerSpec>,
    /// The channel's name.
    pub channel: String,
    /// How long the orderer waits before it cuts a block that is not full.
    pub batch_timeout: Duration,
    /// How long the peers wait for chaincode.
    pub limits: ChaincodeLimits,
    /// `FABRIC_LOGGING_SPEC` of peers and orderer.
    pub logging: String,
}

/// An organisation's peer.
#[derive(Clone, Debug)]
pub struct PeerSpec {
    /// The organisation.
    pub msp_id: String,
    /// Its external builders, in the order in which they are asked.
    pub builders: Vec<ExternalBuilder>,
    /// Added to the peer's environment; a builder sees of it what it propagates.
    pub environment: BTreeMap<String, OsString>,
}

impl PeerSpec {
    /// A peer with one builder: without Docker, a peer with none refuses to start
    /// (`internal/peer/node/start.go`).
    pub fn new(msp_id: &str, builder: ExternalBuilder) -> Self {
        Self { msp_id: msp_id.to_owned(), builders: vec![builder], environment: BTreeMap::new() }
    }

    /// Has it answer many requests at the same time, as a peer does on a machine of many
    /// processors; by itself, it answers no more at once than this one has.
    pub fn work_side_by_side(&mut self) {
        self.environment.insert("GOMAXPROCS".to_owned(), "16".into());
    }
}

impl NetworkSpec {
    /// These peers on `mychannel`, blocks after 200 ms, Fabric's own limits.
    pub fn new(peers: Vec<PeerSpec>) -> Self {
        Self {
            peers,
            channel: "mychannel".to_owned(),
            batch_timeout: Duration::from_millis(200),
            limits: ChaincodeLimits::default(),
            // Every connection that ends would be a line of theirs.
            logging: "info:grpc=error:comm.grpc.server=error".to_owned(),
        }
    }
}

/// Why a network did not come up.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// No scratch directory.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// No free ports.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A configuration file could not be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A command-line program failed.
    #[error(transparent)]
    Cli(#[from] CliError),
    /// A server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The orderer did not take up the channel.
    #[error(transparent)]
    Orderer(#[from] OrdererError),
    /// The organisations' peers did not find each other.
    #[error("{msp_id}'s peer did not find the other organisations' peers")]
    Gossip {
        /// Whose peer.
        msp_id: String,
        /// What it should have logged.
        source: LineMissing,
    },
}

/// A running network. Dropping it ends its processes and removes its directory.
#[derive(Debug)]
pub struct Network {
    /// First, so that it goes first: it ends all servers at the same time.
    scratch: Scratch,
    peers: Vec<Peer>,
    orderer: Orderer,
    topology: Arc<Topology>,
    _ports: Vec<Port>,
}

/// What every member of the network must know of it.
#[derive(Debug)]
pub(crate) struct Topology {
    pub(crate) channel: String,
    pub(crate) orderer: Address,
    pub(crate) orderer_tls_ca: PathBuf,
    pub(crate) orderer_log: Log,
    pub(crate) endorsers: Vec<Endorser>,
    pub(crate) logging: String,
}

/// Where an organisation's peer is reached.
#[derive(Clone, Debug)]
pub(crate) struct Endorser {
    pub(crate) msp_id: String,
    pub(crate) address: Address,
    pub(crate) tls_ca: PathBuf,
}

impl Topology {
    /// The CLI's flags for the channel and its orderer.
    pub(crate) fn channel_flags(&self) -> Vec<String> {
        vec![
            "--channelID".to_owned(),
            self.channel.clone(),
            "--orderer".to_owned(),
            self.orderer.to_string(),
            "--tls".to_owned(),
            "--cafile".to_owned(),
            self.orderer_tls_ca.to_string_lossy().into_owned(),
        ]
    }

    /// The CLI's flags for the peers of the named organisations, or of all.
    pub(crate) fn endorser_flags(&self, msp_ids: &[String]) -> Vec<String> {
        self.endorsers
            .iter()
            .filter(|endorser| msp_ids.is_empty() || msp_ids.contains(&endorser.msp_id))
            .flat_map(|endorser| {
                [
                    "--peerAddresses".to_owned(),
                    endorser.address.to_string(),
                    "--tlsRootCertFiles".to_owned(),
                    endorser.tls_ca.to_string_lossy().into_owned(),
                ]
            })
            .collect()
    }

    /// The environment of a server whose configuration file is in `home`.
    pub(crate) fn server_environment(&self, home: &Path) -> BTreeMap<String, OsString> {
        let format = "%{time:2006-01-02 15:04:05.000} %{level:.4s} [%{module}] %{message}";
        BTreeMap::from([
            ("FABRIC_CFG_PATH".to_owned(), home.into()),
            ("FABRIC_LOGGING_SPEC".to_owned(), (&self.logging).into()),
            ("FABRIC_LOGGING_FORMAT".to_owned(), format.into()),
        ])
    }
}

impl Network {
    /// Raises the network: returns when the channel takes transactions.
    pub fn start(binaries: &Binaries, spec: &NetworkSpec) -> Result<Self, NetworkError> {
        let mut attempt = 1;
        loop {
            match Self::try_start(binaries, spec) {
                Err(error) if attempt < ATTEMPTS && is_port_clash(&error) => attempt += 1,
                result => return result,
            }
        }
    }

    fn try_start(binaries: &Binaries, spec: &NetworkSpec) -> Result<Self, NetworkError> {
        let scratch = Scratch::create()?;
        let (sites, ports) = Sites::here(spec.peers.len())?;
        let plan = Plan::draw(binaries, spec, scratch.dir(), sites);
        plan.write_keys()?;
        plan.write_configuration()?;
        let (orderer, peers) = start_servers(&plan)?;
        let network =
            Self { scratch, peers, orderer, topology: Arc::clone(&plan.topology), _ports: ports };
        network.join_channel(&plan)?;
        network.await_gossip()?;
        Ok(network)
    }

    fn join_channel(&self, plan: &Plan) -> Result<(), NetworkError> {
        let block = plan.genesis_block();
        self.orderer.join(&plan.orderer, &self.topology.channel, &block)?;
        let peers: Vec<&PeerClient> = self.peers.iter().map(|peer| &**peer).collect();
        on_each(&peers, |peer| peer.join(&block))?;
        Ok(())
    }

    /// With several organisations, waits until each peer sees all others on the channel.
    fn await_gossip(&self) -> Result<(), NetworkError> {
        for peer in &self.peers {
            let others: Vec<String> = self
                .topology
                .endorsers
                .iter()
                .filter(|endorser| endorser.msp_id != peer.msp_id())
                .map(|endorser| endorser.address.to_string())
                .collect();
            if others.is_empty() {
                continue;
            }
            let wanted = "Membership view has changed";
            peer.log()
                .wait_for(Mark::default(), wanted, GOSSIP_LIMIT, |line| {
                    line.contains(wanted) && others.iter().all(|other| line.contains(other))
                })
                .map_err(|source| NetworkError::Gossip {
                    msp_id: peer.msp_id().to_owned(),
                    source,
                })?;
        }
        Ok(())
    }

    /// The peer of the organisation with that MSP ID.
    ///
    /// # Panics
    ///
    /// When the network's [`NetworkSpec`] named no such organisation.
    pub fn peer(&self, msp_id: &str) -> &Peer {
        self.peers
            .iter()
            .find(|peer| peer.msp_id() == msp_id)
            .unwrap_or_else(|| panic!("the network has no organisation {msp_id}"))
    }

    /// All peers, in the order of the [`NetworkSpec`].
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// The orderer.
    pub fn orderer(&self) -> &Orderer {
        &self.orderer
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        &self.topology.channel
    }

    /// The directory with everything of the network.
    pub fn dir(&self) -> &Path {
        self.scratch.dir().path()
    }

    /// Installs the package on every peer, approves it for every organisation and commits the
    /// definition. Returns the package ID.
    pub fn deploy(&self, package: &Path, definition: &Definition) -> Result<String, CliError> {
        let peers: Vec<&PeerClient> = self.peers.iter().map(|peer| &**peer).collect();
        deploy(&peers, package, definition)
    }

    /// Leaves the network up when this process ends. Returns the pid to send SIGTERM to, to end
    /// and remove all of it.
    pub fn keep(mut self) -> u32 {
        for peer in &self.peers {
            peer.keep();
        }
        self.orderer.keep();
        self.scratch.keep()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        let logs = self.peers.iter().map(Peer::log);
        for log in logs.chain([self.orderer.log()]) {
            eprintln!("-- {}:\n{}", log.path().display(), log.tail());
        }
    }
}

/// Installs, approves and commits on all peers.
fn deploy(
    peers: &[&PeerClient],
    package: &Path,
    definition: &Definition,
) -> Result<String, CliError> {
    let package_ids = on_each(peers, |peer| {
        let package_id = peer.install(package)?;
        peer.approve(&package_id, definition)?;
        Ok(package_id)
    })?;
    peers[0].commit(definition)?;
    // The ID is a hash of the package's bytes: the same on every peer.
    Ok(package_ids[0].clone())
}

fn on_each<T: Send>(
    peers: &[&PeerClient],
    act: impl Fn(&PeerClient) -> Result<T, CliError> + Sync,
) -> Result<Vec<T>, CliError> {
    thread::scope(|scope| {
        let act = &act;
        let acts: Vec<_> = peers.iter().map(|&peer| scope.spawn(move || act(peer))).collect();
        acts.into_iter().map(joined).collect()
    })
}

fn start_servers(plan: &Plan) -> Result<(Orderer, Vec<Peer>), NetworkError> {
    thread::scope(|scope| {
        let genesis = scope.spawn(|| plan.write_genesis_block());
        let orderer = scope.spawn(|| Orderer::start(&plan.orderer, &plan.topology));
        let peers: Vec<_> = plan
            .peers
            .iter()
            .map(|facts| scope.spawn(move || Peer::start(facts.clone())))
            .collect();
        let peers: Result<Vec<_>, _> = peers.into_iter().map(joined).collect();
        joined(genesis)?;
        Ok((joined(orderer)?, peers?))
    })
}

/// A thread's result; its panic goes on here.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn is_port_clash(error: &NetworkError) -> bool {
    error.to_string().contains("address already in use")
}
