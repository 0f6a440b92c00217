//! `core.yaml`: a peer with TLS, its own gateway, goleveldb, and external builders.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Address, NodeMaterial, path_text};
use crate::release::Release;

/// An external builder, as core.yaml names it (`core/peer/config.go`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalBuilder {
    /// Its name: the peer logs its lines under `chaincode.externalbuilder.<name>`.
    pub name: String,
    /// The directory whose `bin/` holds `detect`, `build`, `release` and `run`.
    pub path: PathBuf,
    /// The variables of the peer's environment that the builder gets.
    pub propagate_environment: Vec<String>,
}

/// How long the peer waits for chaincode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChaincodeLimits {
    /// For an install, the build included.
    pub install: Duration,
    /// From a launch to READY; the peer takes at least 5 s (`core/chaincode/config.go`).
    pub startup: Duration,
    /// For one transaction; at least 1 s, or the peer takes 30 s.
    pub execute: Duration,
}

impl Default for ChaincodeLimits {
    /// Fabric's own limits.
    fn default() -> Self {
        Self {
            install: Duration::from_mins(5),
            startup: Duration::from_mins(5),
            execute: Duration::from_secs(30),
        }
    }
}

impl ExternalBuilder {
    /// Selvedge in `dist` (its path; the executables are in `dist/bin`), told by
    /// `SELVEDGE_LAUNCHER` where its launcher is.
    pub fn selvedge(dist: &Path) -> Self {
        Self {
            name: "selvedge".to_owned(),
            path: dist.to_owned(),
            propagate_environment: vec!["SELVEDGE_LAUNCHER".to_owned()],
        }
    }
}

/// What decides a peer's configuration.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// The release decides which request filters exist.
    pub release: Release,
    /// The peer's ID in gossip and in its log.
    pub id: String,
    /// Its organisation's MSP ID.
    pub msp_id: String,
    /// Where it listens for clients and peers.
    pub listen: Address,
    /// Where they reach it.
    pub address: Address,
    /// Where it listens for chaincode.
    pub chaincode_listen: Address,
    /// Where chaincode reaches it; the peer makes itself a certificate for this host.
    pub chaincode_address: Address,
    /// Where it serves metrics and health; port 0 for any.
    pub operations_listen: Address,
    /// Its keys.
    pub material: NodeMaterial,
    /// Where it keeps ledgers, installed packages and builds.
    pub data: PathBuf,
    /// In the order in which they are asked.
    pub builders: Vec<ExternalBuilder>,
    /// How long it waits for chaincode.
    pub limits: ChaincodeLimits,
}

/// `core.yaml`. What is left out has the same default in the peer's code.
pub fn core_config(config: &PeerConfig) -> Value {
    json!({
        "peer": peer(config),
        // Empty: no Docker, what no external builder takes is refused.
        "vm": { "endpoint": "" },
        "chaincode": chaincode(config),
        "ledger": {
            "state": { "stateDatabase": "goleveldb", "totalQueryLimit": 100_000 },
            "history": { "enableHistoryDatabase": true },
        },
        "operations": { "listenAddress": config.operations_listen.to_string() },
        "metrics": { "provider": "prometheus" },
    })
}

fn peer(config: &PeerConfig) -> Value {
    let path = |path: PathBuf| json!({ "file": path_text(&path) });
    let address = config.address.to_string();
    json!({
        "id": config.id,
        "networkId": "testbed",
        "listenAddress": config.listen.to_string(),
        "address": address,
        "chaincodeListenAddress": config.chaincode_listen.to_string(),
        "chaincodeAddress": config.chaincode_address.to_string(),
        "localMspId": config.msp_id,
        "mspConfigPath": path_text(&config.material.msp),
        "fileSystemPath": path_text(&config.data),
        "tls": {
            "enabled": true,
            "cert": path(config.material.tls_certificate()),
            "key": path(config.material.tls_key()),
            "rootcert": path(config.material.tls_ca()),
        },
        "BCCSP": { "Default": "SW", "SW": { "Hash": "SHA2", "Security": 256 } },
        // The CLI reads this file too; a busy machine needs more than its default of 3 s.
        "client": { "connTimeout": "15s" },
        "gateway": { "enabled": true, "endorsementTimeout": "60s", "dialTimeout": "60s" },
        "discovery": {
            "enabled": true,
            "authCacheEnabled": true,
            "authCacheMaxSize": 1000,
            "authCachePurgeRetentionRatio": 0.75,
        },
        "authentication": { "timewindow": "15m" },
        "gossip": gossip(&address),
        "handlers": handlers(config.release),
    })
}

/// One peer for each organisation: it leads, it takes blocks from the orderer itself. The
/// intervals are a quarter of Fabric's, so that two organisations find each other in two seconds.
fn gossip(address: &str) -> Value {
    json!({
        "bootstrap": address,
        "endpoint": address,
        "externalEndpoint": address,
        "useLeaderElection": false,
        "orgLeader": true,
        "membershipTrackerInterval": "1s",
        "publishStateInfoInterval": "1s",
        "requestStateInfoInterval": "1s",
        "aliveTimeInterval": "1s",
        "reconnectInterval": "1s",
        "state": { "enabled": false },
        "pvtData": {
            "pullRetryThreshold": "10s",
            "transientstoreMaxBlockRetention": 1000,
            "pushAckTimeout": "3s",
            "btlPullMargin": 10,
            "reconcileBatchSize": 10,
            "reconcileSleepInterval": "10s",
            "reconciliationEnabled": true,
            "implicitCollectionDisseminationPolicy": { "requiredPeerCount": 0, "maxPeerCount": 1 },
        },
    })
}

fn handlers(release: Release) -> Value {
    let mut filters = vec![json!({ "name": "DefaultAuth" }), json!({ "name": "ExpirationCheck" })];
    // Not known to v2.5.0 (core/handlers/library/library.go), which panics on an unknown name.
    if release == Release::V3_1_1 {
        filters.push(json!({ "name": "TimeWindowCheck" }));
    }
    json!({
        "authFilters": filters,
        "decorators": [{ "name": "DefaultDecorator" }],
        "endorsers": { "escc": { "name": "DefaultEndorsement" } },
        "validators": { "vscc": { "name": "DefaultValidation" } },
    })
}

fn chaincode(config: &PeerConfig) -> Value {
    let builders: Vec<Value> = config
        .builders
        .iter()
        .map(|builder| {
            json!({
                "name": builder.name,
                "path": path_text(&builder.path),
                "propagateEnvironment": builder.propagate_environment,
            })
        })
        .collect();
    let time = |limit: Duration| format!("{}ms", limit.as_millis());
    json!({
        "mode": "net",
        "externalBuilders": builders,
        "installTimeout": time(config.limits.install),
        "startuptimeout": time(config.limits.startup),
        "executetimeout": time(config.limits.execute),
        "system": { "_lifecycle": "enable", "cscc": "enable", "lscc": "enable", "qscc": "enable" },
        "logging": { "level": "info", "shim": "warning" },
        // As in v3.1's sample: what READY's payload tells the chaincode. v2.5 does not read it.
        "runtimeParams": {
            "useWriteBatch": true,
            "maxSizeWriteBatch": 1000,
            "useGetMultipleKeys": true,
            "maxSizeGetMultipleKeys": 1000,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(release: Release) -> PeerConfig {
        PeerConfig {
            release,
            id: "peer0.org1".to_owned(),
            msp_id: "Org1MSP".to_owned(),
            listen: Address::local(7051),
            address: Address { host: "peer0.org1.svc".to_owned(), port: 7051 },
            chaincode_listen: Address::local(7052),
            chaincode_address: Address::local(7052),
            operations_listen: Address::local(0),
            material: NodeMaterial { msp: "/m/msp".into(), tls: "/m/tls".into() },
            data: "/data".into(),
            builders: vec![ExternalBuilder::selvedge("/opt/selvedge".as_ref())],
            limits: ChaincodeLimits::default(),
        }
    }

    #[test]
    fn builders_and_limits_stand_where_the_peer_reads_them() {
        let core = core_config(&config(Release::V3_1_1));
        assert_eq!(core["vm"]["endpoint"], "");
        let chaincode = &core["chaincode"];
        assert_eq!(chaincode["executetimeout"], "30000ms");
        assert_eq!(
            chaincode["externalBuilders"],
            json!([{
                "name": "selvedge",
                "path": "/opt/selvedge",
                "propagateEnvironment": ["SELVEDGE_LAUNCHER"],
            }])
        );
    }

    #[test]
    fn a_peer_may_be_reached_at_another_name_than_it_listens_on() {
        let core = core_config(&config(Release::V3_1_1));
        assert_eq!(core["peer"]["listenAddress"], "127.0.0.1:7051");
        assert_eq!(core["peer"]["address"], "peer0.org1.svc:7051");
        assert_eq!(core["peer"]["gossip"]["externalEndpoint"], "peer0.org1.svc:7051");
    }

    #[test]
    fn only_filters_that_the_release_knows_are_named() {
        let filters = |release| {
            core_config(&config(release))["peer"]["handlers"]["authFilters"]
                .as_array()
                .map(Vec::len)
        };
        assert_eq!(filters(Release::V3_1_1), Some(3));
        assert_eq!(filters(Release::V2_5_0), Some(2));
    }
}
