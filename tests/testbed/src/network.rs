//! A Fabric network: one orderer, the peers of its organisations, one channel, TLS throughout.

mod deploy;
mod error;
mod plan;
mod remote;
mod sites;
mod spec;

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::binaries::Binaries;
use crate::chaincode::Definition;
use crate::cli::CliError;
use crate::client::PeerClient;
use crate::log::Mark;
use crate::orderer::Orderer;
use crate::peer::Peer;
use crate::ports::Port;
use crate::scratch::Scratch;
use crate::topology::Topology;
use deploy::{deploy, joined, on_each};
use plan::Plan;
use sites::Sites;

pub use error::NetworkError;
pub use remote::RemoteNetwork;
pub use sites::Site;
pub use spec::{NetworkSpec, PeerSpec};

/// Organisations must know each other's peers before private data or the gateway can use them.
const GOSSIP_LIMIT: Duration = Duration::from_mins(1);

/// A port may be taken by somebody else between our look and the server's bind.
const ATTEMPTS: usize = 3;

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

    /// The first peer of the organisation with that MSP ID.
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

fn is_port_clash(error: &NetworkError) -> bool {
    error.to_string().contains("address already in use")
}
