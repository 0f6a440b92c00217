//! Everything Fabric reads from files, as pure functions of typed input.
//!
//! Nothing here knows whether the servers will be processes or pods: host names, addresses and
//! paths are parameters. The files are written as JSON, which is YAML.

pub mod configtx;
pub mod core_config;
pub mod crypto;
pub mod orderer_config;

use std::fmt;
use std::path::{Path, PathBuf};

/// A host and a port that a server is reached at, or listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A host name or an IP address.
    pub host: String,
    /// A TCP port.
    pub port: u16,
}

impl Address {
    /// An address on this machine alone.
    pub fn local(port: u16) -> Self {
        Self { host: "127.0.0.1".to_owned(), port }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// An organisation, named by its MSP ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// The MSP ID: `Org1MSP`.
    pub msp_id: String,
}

impl Organisation {
    /// The organisation with that MSP ID.
    pub fn new(msp_id: &str) -> Self {
        Self { msp_id: msp_id.to_owned() }
    }

    /// A short name for directories and host names: `org1`.
    pub fn name(&self) -> String {
        self.msp_id.trim_end_matches("MSP").to_lowercase()
    }

    /// The DNS domain that its certificates are for: `org1.example.com`.
    pub fn domain(&self) -> String {
        format!("{}.example.com", self.name())
    }
}

/// The key material of one node (a peer or an orderer).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeMaterial {
    /// The node's own MSP directory.
    pub msp: PathBuf,
    /// `server.crt`, `server.key` and `ca.crt`.
    pub tls: PathBuf,
}

impl NodeMaterial {
    /// The node's TLS certificate.
    pub fn tls_certificate(&self) -> PathBuf {
        self.tls.join("server.crt")
    }

    /// Its key.
    pub fn tls_key(&self) -> PathBuf {
        self.tls.join("server.key")
    }

    /// The CA that signed it.
    pub fn tls_ca(&self) -> PathBuf {
        self.tls.join("ca.crt")
    }
}

/// The key material of one user of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserMaterial {
    /// The user's MSP directory.
    pub msp: PathBuf,
    /// The certificate's file name in it differs by user.
    certificate: String,
}

impl UserMaterial {
    /// The certificate to sign as.
    pub fn certificate(&self) -> PathBuf {
        self.msp.join("signcerts").join(&self.certificate)
    }

    /// Its private key.
    pub fn key(&self) -> PathBuf {
        self.msp.join("keystore/priv_sk")
    }
}

fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
