//! `orderer.yaml`: one Raft orderer with channel participation and no system channel.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::crypto::ORDERER_MSP_ID;
use super::{Address, NodeMaterial, path_text};

/// What decides an orderer's configuration.
#[derive(Clone, Debug)]
pub struct OrdererConfig {
    /// Where it serves peers and clients.
    pub listen: Address,
    /// Where it serves `osnadmin`.
    pub admin_listen: Address,
    /// Where it serves metrics and health; port 0 for any.
    pub operations_listen: Address,
    /// Its keys.
    pub material: NodeMaterial,
    /// Where it keeps its ledgers.
    pub data: PathBuf,
}

/// `orderer.yaml`.
pub fn orderer_config(config: &OrdererConfig) -> Value {
    let certificate = path_text(&config.material.tls_certificate());
    let key = path_text(&config.material.tls_key());
    let ca = path_text(&config.material.tls_ca());
    let data = |name: &str| path_text(&config.data.join(name));
    json!({
        "General": {
            "ListenAddress": config.listen.host,
            "ListenPort": config.listen.port,
            "TLS": { "Enabled": true, "PrivateKey": key, "Certificate": certificate, "RootCAs": [ca] },
            "Cluster": { "ClientCertificate": certificate, "ClientPrivateKey": key, "RootCAs": [ca] },
            "BootstrapMethod": "none",
            "LocalMSPDir": path_text(&config.material.msp),
            "LocalMSPID": ORDERER_MSP_ID,
            "BCCSP": { "Default": "SW", "SW": { "Hash": "SHA2", "Security": 256 } },
        },
        "FileLedger": { "Location": data("ledger") },
        "Operations": { "ListenAddress": config.operations_listen.to_string() },
        "Metrics": { "Provider": "prometheus" },
        "Admin": {
            "ListenAddress": config.admin_listen.to_string(),
            "TLS": {
                "Enabled": true,
                "PrivateKey": key,
                "Certificate": certificate,
                // Fabric insists (orderer/common/server/main.go): it decides who may join channels.
                "ClientAuthRequired": true,
                "ClientRootCAs": [ca],
            },
        },
        "ChannelParticipation": { "Enabled": true, "MaxRequestBodySize": "1 MB" },
        "Consensus": { "WALDir": data("wal"), "SnapDir": data("snapshots") },
    })
}
