//! Where everything of a network lies and listens, and the files that say so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, iter};

use serde_json::Value;

use super::{Endorser, NetworkError, NetworkSpec, PeerSpec, Topology};
use crate::binaries::Binaries;
use crate::cli;
use crate::log::Log;
use crate::material::configtx::{ChannelConfig, Member, PROFILE, configtx};
use crate::material::core_config::{PeerConfig, core_config};
use crate::material::crypto::{CryptoTree, PeerHost, crypto_config};
use crate::material::orderer_config::{OrdererConfig, orderer_config};
use crate::material::{Address, Organisation};
use crate::orderer::OrdererFacts;
use crate::peer::PeerFacts;
use crate::ports::{Port, PortError};
use crate::scratch::ScratchDir;

const TOOL_LIMIT: Duration = Duration::from_mins(1);

/// Every node is reached on this machine alone.
const HOST_NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

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
}

impl Plan {
    /// Decides paths and ports, touching nothing but the ports.
    pub(super) fn draw(
        binaries: &Binaries,
        spec: &NetworkSpec,
        scratch: &ScratchDir,
    ) -> Result<(Self, Vec<Port>), PortError> {
        // For each node: one for clients, and one for osnadmin or chaincode.
        let ports: Vec<Port> = iter::repeat_with(Port::lease)
            .take(2 + 2 * spec.peers.len())
            .collect::<Result<_, _>>()?;
        let addresses: Vec<Address> =
            ports.iter().map(|port| Address::local(port.number())).collect();
        let (listen, admin_listen) = (addresses[0].clone(), addresses[1].clone());
        let crypto = CryptoTree::new(scratch.join("crypto"));
        let peer_configs: Vec<PeerConfig> = spec
            .peers
            .iter()
            .zip(addresses[2..].chunks(2))
            .map(|(peer, pair)| peer_config(binaries, spec, peer, pair, &crypto, scratch))
            .collect();
        let orderer_config = OrdererConfig {
            listen: listen.clone(),
            admin_listen: admin_listen.clone(),
            operations_listen: Address::local(0),
            material: crypto.orderer(),
            data: scratch.join("orderer/data"),
        };
        let topology = Arc::new(topology(spec, &orderer_config, &peer_configs, scratch));
        let peers = spec
            .peers
            .iter()
            .zip(&peer_configs)
            .map(|(peer, config)| peer_facts(binaries, peer, config, &topology, &crypto, scratch))
            .collect();
        let plan = Self {
            orderer: OrdererFacts {
                binaries: binaries.clone(),
                scratch: scratch.clone(),
                home: scratch.join("orderer"),
                admin: admin_listen,
                material: crypto.orderer(),
            },
            channel: channel_config(spec, listen, &peer_configs, &crypto),
            peers,
            topology,
            binaries: binaries.clone(),
            crypto,
            config_dir: scratch.join("config"),
            orderer_config,
            peer_configs,
        };
        Ok((plan, ports))
    }

    /// Has cryptogen make all keys and certificates.
    pub(super) fn write_keys(&self) -> Result<(), NetworkError> {
        let names: Vec<String> = HOST_NAMES.map(str::to_owned).to_vec();
        let hosts: Vec<PeerHost> = self
            .peers
            .iter()
            .map(|peer| PeerHost {
                organisation: peer.organisation.clone(),
                alternative_names: names.clone(),
            })
            .collect();
        let file = self.config_dir.join("crypto-config.yaml");
        write(&file, &crypto_config(&names, &hosts))?;
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
            write(&peer.home.join("core.yaml"), &core_config(config))?;
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

fn peer_config(
    binaries: &Binaries,
    spec: &NetworkSpec,
    peer: &PeerSpec,
    addresses: &[Address],
    crypto: &CryptoTree,
    scratch: &ScratchDir,
) -> PeerConfig {
    let organisation = Organisation::new(&peer.msp_id);
    PeerConfig {
        release: binaries.release(),
        id: format!("peer0.{}", organisation.domain()),
        msp_id: peer.msp_id.clone(),
        listen: addresses[0].clone(),
        address: addresses[0].clone(),
        chaincode_listen: addresses[1].clone(),
        chaincode_address: addresses[1].clone(),
        operations_listen: Address::local(0),
        material: crypto.peer(&organisation),
        data: scratch.join(&organisation.name()).join("data"),
        builders: peer.builders.clone(),
        limits: spec.limits,
    }
}

fn topology(
    spec: &NetworkSpec,
    orderer: &OrdererConfig,
    peers: &[PeerConfig],
    scratch: &ScratchDir,
) -> Topology {
    Topology {
        channel: spec.channel.clone(),
        orderer: orderer.listen.clone(),
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
    scratch: &ScratchDir,
) -> PeerFacts {
    let organisation = Organisation::new(&peer.msp_id);
    PeerFacts {
        binaries: binaries.clone(),
        scratch: scratch.clone(),
        home: scratch.join(&organisation.name()),
        address: config.address.clone(),
        tls_ca: config.material.tls_ca(),
        admin: crypto.admin(&organisation),
        user: crypto.user(&organisation),
        environment: peer.environment.clone(),
        topology: Arc::clone(topology),
        organisation,
    }
}

fn channel_config(
    spec: &NetworkSpec,
    orderer: Address,
    peers: &[PeerConfig],
    crypto: &CryptoTree,
) -> ChannelConfig {
    ChannelConfig {
        orderer,
        orderer_certificate: crypto.orderer().tls_certificate(),
        orderer_msp: crypto.orderer_org_msp(),
        members: peers
            .iter()
            .map(|peer| {
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
