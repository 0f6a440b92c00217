//! What network is wanted.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use crate::material::core_config::{ChaincodeLimits, ExternalBuilder};

/// What network to raise.
#[derive(Clone, Debug)]
pub struct NetworkSpec {
    /// At least one; those of the same organisation are its `peer0`, `peer1` and so on.
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

/// A peer of an organisation.
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
