//! Where the nodes of a network listen, and where they are reached.

use std::net::Ipv4Addr;

use crate::material::Address;
use crate::ports::{Port, PortError};

/// Where one node is.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where it listens for clients.
    pub listen: Address,
    /// Where they reach it.
    pub address: Address,
    /// The orderer's address for `osnadmin`, a peer's for chaincode.
    pub second: Address,
    /// The host names and IP addresses that its TLS certificate is good for.
    pub names: Vec<String>,
}

/// Where all of them are.
#[derive(Clone, Debug)]
pub(super) struct Sites {
    pub(super) orderer: Site,
    /// In the order of the specification.
    pub(super) peers: Vec<Site>,
}

impl Site {
    /// On this machine, at `host`, which is one of its addresses. The ports are the site's for as
    /// long as the leases live.
    pub(super) fn here(host: Ipv4Addr) -> Result<(Self, [Port; 2]), PortError> {
        let ports = [Port::lease()?, Port::lease()?];
        let listen = Address { host: host.to_string(), port: ports[0].number() };
        let mut names = vec![Ipv4Addr::LOCALHOST.to_string(), "localhost".to_owned()];
        if host != Ipv4Addr::LOCALHOST {
            names.push(host.to_string());
        }
        let second = Address::local(ports[1].number());
        Ok((Self { address: listen.clone(), listen, second, names }, ports))
    }
}

impl Sites {
    /// All on this machine alone.
    pub(super) fn here(peers: usize) -> Result<(Self, Vec<Port>), PortError> {
        let (orderer, orderer_ports) = Site::here(Ipv4Addr::LOCALHOST)?;
        let mut sites = Self { orderer, peers: Vec::new() };
        let mut ports = Vec::from(orderer_ports);
        for _ in 0..peers {
            let (peer, peer_ports) = Site::here(Ipv4Addr::LOCALHOST)?;
            sites.peers.push(peer);
            ports.extend(peer_ports);
        }
        Ok((sites, ports))
    }
}
