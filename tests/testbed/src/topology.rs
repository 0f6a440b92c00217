//! What every member of a network must know of it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::log::Log;
use crate::material::Address;

/// The channel, the orderer and the peers.
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
