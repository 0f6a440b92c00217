//! Where everything of a network lies and listens, and the files that say so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::error::NetworkError;
use super::sites::{Site, Sites};
use super::spec::{NetworkSpec, PeerSpec};
use crate::binaries::Binaries;
use crate::cli;
use crate::client::PeerClient;
use crate::log::Log;
use crate::material::configtx::{ChannelConfig, Member, PROFILE, configtx};
use crate::material::core_config::{PeerConfig, core_config};
use crate::material::crypto::{CryptoTree, PeerHost, crypto_config};
use crate::material::orderer_config::{OrdererConfig, orderer_config};
use crate::material::{Address, Organisation};
use crate::orderer::OrdererFacts;
use crate::peer::PeerFacts;
use crate::scratch::ScratchDir;
use crate::topology::{Endorser, Topology};

const TOOL_LIMIT: Duration = Duration::from_mins(1);

/// A network on paper.
pub(super) struct Plan {
    pub(super) topology: Arc<Topology>,
    pub(super) orderer: OrdererFacts,
    pub(super) peers: Vec<PeerFacts>,
    binaries: Binaries,
    crypto: CryptoTree,
    config_dir: PathBuf,
    channel: ChannelConfig,
    orderer_config: OrdererConfig,
    peer_configs: Vec<PeerConfig>,
    sites: Sites,
}

impl Plan {
    /// Decides paths, touching nothing.
    pub(super) fn draw(
        binaries: &Binaries,
        spec: &NetworkSpec,
        scratch: &ScratchDir,
        sites: Sites,
    ) -> Self {
        let crypto = CryptoTree::new(scratch.join("crypto"));
        let peer_configs: Vec<PeerConfig> = spec
            .peers
            .iter()
            .enumerate()
            .zip(&sites.peers)
            .map(|((number, peer), site)| {
                let seat = Seat::of(spec, number, scratch);
                peer_config(binaries, spec, peer, site, &crypto, &seat)
            })
            .collect();
        let orderer_config = OrdererConfig {
            listen: sites.orderer.listen.clone(),
            admin_listen: sites.orderer.second.clone(),
            operations_listen: Address::local(0),
            material: crypto.orderer(),
            data: scratch.join("orderer/data"),
        };
        let topology = Arc::new(topology(spec, &sites, &orderer_config, &peer_configs, scratch));
        let peers = spec
            .peers
            .iter()
            .enumerate()
            .zip(&peer_configs)
            .map(|((number, peer), config)| {
                let seat = Seat::of(spec, number, scratch);
                peer_facts(binaries, peer, config, &topology, &crypto, seat, scratch)
            })
            .collect();
        Self {
            orderer: OrdererFacts {
                binaries: binaries.clone(),
                scratch: scratch.clone(),
                home: scratch.join("orderer"),
                admin: sites.orderer.second.clone(),
                material: crypto.orderer(),
            },
            channel: channel_config(spec, &sites, &peer_configs, &crypto),
            peers,
            topology,
            binaries: binaries.clone(),
            crypto,
            config_dir: scratch.join("config"),
            orderer_config,
            peer_configs,
            sites,
        }
    }

    /// Has cryptogen make all keys and certificates.
    pub(super) fn write_keys(&self) -> Result<(), NetworkError> {
        let hosts: Vec<PeerHost> = self
            .peers
            .iter()
            .zip(&self.sites.peers)
            .map(|(peer, site)| PeerHost {
                organisation: peer.client.organisation.clone(),
                name: peer.client.name.clone(),
                alternative_names: site.names.clone(),
            })
            .collect();
        let file = self.config_dir.join("crypto-config.yaml");
        write(&file, &crypto_config(&self.sites.orderer.names, &hosts))?;
        let mut command = Command::new(self.binaries.program("cryptogen"));
        command.arg("generate").arg("--config").arg(&file);
        command.arg("--output").arg(self.crypto.root());
        cli::run(&mut command, Vec::new(), TOOL_LIMIT, &[])?;
        Ok(())
    }

    /// Writes `configtx.yaml`, `orderer.yaml` and each peer's `core.yaml`.
    pub(super) fn write_configuration(&self) -> Result<(), NetworkError> {
        write(&self.config_dir.join("configtx.yaml"), &configtx(&self.channel))?;
        write(&self.orderer.home.join("orderer.yaml"), &orderer_config(&self.orderer_config))?;
        for (peer, config) in self.peers.iter().zip(&self.peer_configs) {
            write(&peer.client.home.join("core.yaml"), &core_config(config))?;
        }
        Ok(())
    }

    /// Where the channel's genesis block is.
    pub(super) fn genesis_block(&self) -> PathBuf {
        self.config_dir.join("genesis.block")
    }

    /// Has configtxgen make the channel's genesis block.
    pub(super) fn write_genesis_block(&self) -> Result<(), NetworkError> {
        let mut command = Command::new(self.binaries.program("configtxgen"));
        command
            .args(["-profile", PROFILE, "-channelID", &self.topology.channel])
            .arg("-configPath")
            .arg(&self.config_dir)
            .arg("-outputBlock")
            .arg(self.genesis_block());
        cli::run(&mut command, Vec::new(), TOOL_LIMIT, &[])?;
        Ok(())
    }
}

/// What a peer is called within its organisation, and where its files are.
struct Seat {
    name: String,
    home: PathBuf,
}

impl Seat {
    /// Those of an organisation are counted from 0, and the first one has its organisation's name for
    /// a directory.
    fn of(spec: &NetworkSpec, number: usize, scratch: &ScratchDir) -> Self {
        let msp_id = &spec.peers[number].msp_id;
        let before = spec.peers[..number].iter().filter(|peer| peer.msp_id == *msp_id).count();
        let (name, organisation) = (format!("peer{before}"), Organisation::new(msp_id).name());
        let home = match before {
            0 => organisation,
            _ => format!("{organisation}-{name}"),
        };
        Self { home: scratch.join(&home), name }
    }
}

fn peer_config(
    binaries: &Binaries,
    spec: &NetworkSpec,
    peer: &PeerSpec,
    site: &Site,
    crypto: &CryptoTree,
    seat: &Seat,
) -> PeerConfig {
    let organisation = Organisation::new(&peer.msp_id);
    PeerConfig {
        release: binaries.release(),
        id: format!("{}.{}", seat.name, organisation.domain()),
        msp_id: peer.msp_id.clone(),
        listen: site.listen.clone(),
        address: site.address.clone(),
        chaincode_listen: site.second.clone(),
        chaincode_address: site.second.clone(),
        operations_listen: Address::local(0),
        material: crypto.peer(&organisation, &seat.name),
        data: seat.home.join("data"),
        builders: peer.builders.clone(),
        limits: spec.limits,
    }
}

fn topology(
    spec: &NetworkSpec,
    sites: &Sites,
    orderer: &OrdererConfig,
    peers: &[PeerConfig],
    scratch: &ScratchDir,
) -> Topology {
    Topology {
        channel: spec.channel.clone(),
        orderer: sites.orderer.address.clone(),
        orderer_tls_ca: orderer.material.tls_ca(),
        orderer_log: Log::new(scratch.join("orderer/orderer.log")),
        endorsers: peers
            .iter()
            .map(|peer| Endorser {
                msp_id: peer.msp_id.clone(),
                address: peer.address.clone(),
                tls_ca: peer.material.tls_ca(),
            })
            .collect(),
        logging: spec.logging.clone(),
    }
}

fn peer_facts(
    binaries: &Binaries,
    peer: &PeerSpec,
    config: &PeerConfig,
    topology: &Arc<Topology>,
    crypto: &CryptoTree,
    seat: Seat,
    scratch: &ScratchDir,
) -> PeerFacts {
    let organisation = Organisation::new(&peer.msp_id);
    let client = PeerClient {
        binaries: binaries.clone(),
        home: seat.home,
        name: seat.name,
        address: config.address.clone(),
        material: config.material.clone(),
        admin: crypto.admin(&organisation),
        user: crypto.user(&organisation),
        topology: Arc::clone(topology),
        organisation,
        log: None,
    };
    PeerFacts { client, scratch: scratch.clone(), environment: peer.environment.clone() }
}

fn channel_config(
    spec: &NetworkSpec,
    sites: &Sites,
    peers: &[PeerConfig],
    crypto: &CryptoTree,
) -> ChannelConfig {
    ChannelConfig {
        orderer: sites.orderer.address.clone(),
        orderer_certificate: crypto.orderer().tls_certificate(),
        orderer_msp: crypto.orderer_org_msp(),
        members: peers
            .iter()
            .enumerate()
            .filter(|(number, peer)| {
                !peers[..*number].iter().any(|earlier| earlier.msp_id == peer.msp_id)
            })
            .map(|(_, peer)| {
                let organisation = Organisation::new(&peer.msp_id);
                Member {
                    msp: crypto.org_msp(&organisation),
                    organisation,
                    anchor: peer.address.clone(),
                }
            })
            .collect(),
        batch_timeout: spec.batch_timeout,
    }
}

/// Writes `value` as JSON, which is YAML, with the directory that holds it.
fn write(path: &Path, value: &Value) -> Result<(), NetworkError> {
    let error = |source| NetworkError::Write { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(error)?;
    }
    fs::write(path, format!("{value:#}\n")).map_err(error)
}
