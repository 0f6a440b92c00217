//! A network whose peers run elsewhere (in pods): its keys, its channel, its orderer, its clients.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::deploy::{deploy, on_each};
use super::error::NetworkError;
use super::plan::Plan;
use super::sites::{Site, Sites};
use super::spec::NetworkSpec;
use crate::binaries::Binaries;
use crate::chaincode::Definition;
use crate::cli::CliError;
use crate::client::PeerClient;
use crate::orderer::Orderer;
use crate::ports::Port;
use crate::scratch::Scratch;

/// An orderer on this machine, and what it takes to run peers elsewhere. Dropping it ends the
/// orderer.
#[derive(Debug)]
pub struct RemoteNetwork {
    /// First, so that it goes first.
    scratch: Scratch,
    peers: Vec<PeerClient>,
    orderer: Orderer,
    channel: String,
    genesis: PathBuf,
    _ports: Vec<Port>,
}

impl RemoteNetwork {
    /// Makes all keys, and raises the orderer at `host`, an address of this machine that the peers
    /// reach. `sites` says where each peer of `spec` will be, as its clients see it.
    pub fn start(
        binaries: &Binaries,
        spec: &NetworkSpec,
        host: Ipv4Addr,
        sites: Vec<Site>,
    ) -> Result<Self, NetworkError> {
        let scratch = Scratch::create()?;
        let (orderer, ports) = Site::here(host)?;
        let plan = Plan::draw(binaries, spec, scratch.dir(), Sites { orderer, peers: sites });
        plan.write_keys()?;
        plan.write_configuration()?;
        plan.write_genesis_block()?;
        let orderer = Orderer::start(&plan.orderer, &plan.topology)?;
        orderer.join(&plan.orderer, &spec.channel, &plan.genesis_block())?;
        let peers = plan.peers.iter().map(|peer| peer.client.clone()).collect();
        let channel = spec.channel.clone();
        Ok(Self {
            scratch,
            peers,
            orderer,
            channel,
            genesis: plan.genesis_block(),
            _ports: ports.into(),
        })
    }

    /// Has every peer join the channel, once they serve.
    pub fn join_channel(&self) -> Result<(), CliError> {
        on_each(&self.clients(), |peer| peer.join(&self.genesis))?;
        Ok(())
    }

    /// The peers, in the order of the specification.
    pub fn peers(&self) -> &[PeerClient] {
        &self.peers
    }

    /// The orderer.
    pub fn orderer(&self) -> &Orderer {
        &self.orderer
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// The directory with everything of the network that is on this machine.
    pub fn dir(&self) -> &Path {
        self.scratch.dir().path()
    }

    /// As [`Network::deploy`](super::Network::deploy).
    pub fn deploy(&self, package: &Path, definition: &Definition) -> Result<String, CliError> {
        deploy(&self.clients(), package, definition)
    }

    fn clients(&self) -> Vec<&PeerClient> {
        self.peers.iter().collect()
    }

    /// Leaves the orderer up when this process ends. Returns the pid to send SIGTERM to, to end
    /// and remove it.
    pub fn keep(mut self) -> u32 {
        self.orderer.keep();
        self.scratch.keep()
    }
}
