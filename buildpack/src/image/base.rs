//! The base layer, which Selvedge makes itself: certificates, a user, `/tmp`, the directory where
//! chaincode looks for its files, and time zones.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::layer::Layer;
use super::zones;
use crate::archive::{ArchiveWriter, EntryPath, Packing};
use crate::digest::{Hashing, Sha256};

/// The user that chaincode runs as: the one of other images without a shell, so that cluster
/// policies know it.
pub const CHAINCODE_USER_ID: u32 = 65532;

/// The group of [`CHAINCODE_USER_ID`].
pub const CHAINCODE_GROUP_ID: u32 = 65532;

const PASSWD: &str = "root:x:0:0:root:/:/sbin/nologin\n\
                      chaincode:x:65532:65532:chaincode:/tmp:/sbin/nologin\n";

const GROUP: &str = "root:x:0:\nchaincode:x:65532:\n";

/// Where Linux distributions keep the bundle of CA certificates (Go's
/// `src/crypto/x509/root_linux.go` looks in the same places).
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What the base layer is made from.
#[derive(Clone, Debug)]
pub struct Base {
    certificates: Vec<u8>,
}

/// Why there is no base layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// No bundle in any of the usual places.
    #[error("no CA certificates found: install ca-certificates or set SSL_CERT_FILE")]
    NoBundle,
    /// The bundle could not be read.
    #[error("cannot read the CA certificates in {path}")]
    Read {
        /// The bundle.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The bundle holds no certificate.
    #[error("{path} holds no certificate in PEM form")]
    Empty {
        /// The bundle.
        path: PathBuf,
    },
}

/// The CA bundle to take: `ssl_cert_file` (the variable `SSL_CERT_FILE`) if given, else the first
/// of the usual places that exists.
pub fn ca_bundle_path(ssl_cert_file: Option<OsString>) -> Result<PathBuf, BaseError> {
    match ssl_cert_file.filter(|path| !path.is_empty()) {
        Some(path) => Ok(path.into()),
        None => {
            BUNDLES.iter().map(PathBuf::from).find(|path| path.is_file()).ok_or(BaseError::NoBundle)
        }
    }
}

impl Base {
    /// Takes the certificates from the PEM bundle `path`.
    pub fn open(path: &Path) -> Result<Self, BaseError> {
        let pem = std::fs::read_to_string(path)
            .map_err(|source| BaseError::Read { path: path.to_owned(), source })?;
        Self::from_pem(&pem).ok_or_else(|| BaseError::Empty { path: path.to_owned() })
    }

    /// Takes the certificates in `pem`, and nothing else that may be in it; none if there are
    /// none. Their order and the comments around them do not matter to the layer.
    pub fn from_pem(pem: &str) -> Option<Self> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        const END: &str = "-----END CERTIFICATE-----";
        let blocks = pem.split(BEGIN).skip(1);
        let bodies: BTreeSet<String> = blocks
            .filter_map(|block| Some(block.split_once(END)?.0))
            .map(|body| body.split_whitespace().collect::<Vec<_>>().join("\n"))
            .collect();
        let mut certificates = Vec::new();
        for body in bodies {
            certificates.extend([BEGIN, "\n", &body, "\n", END, "\n"].concat().into_bytes());
        }
        (!certificates.is_empty()).then_some(Self { certificates })
    }

    /// The digest of the layer before compression: it names the base.
    pub fn diff_id(&self) -> io::Result<Sha256> {
        let mut archive = ArchiveWriter::new(Hashing::new(io::sink()));
        self.fill(&mut archive)?;
        Ok(archive.finish()?.finish().1)
    }

    /// The layer, in a temporary file in `scratch`.
    pub(super) fn layer(&self, scratch: &Path) -> io::Result<Layer> {
        Layer::write(scratch, Packing::Deflated, |archive| self.fill(archive))
    }

    /// Sorted by path, as [`validate`](super::validate) demands.
    fn fill<W: Write>(&self, archive: &mut ArchiveWriter<W>) -> io::Result<()> {
        archive.directory(&entry("etc"), 0o755)?;
        archive.bytes(&entry("etc/group"), 0o644, GROUP.as_bytes())?;
        // Empty: the launcher, or Kubernetes, puts the chaincode's credentials here.
        archive.directory(&entry("etc/hyperledger"), 0o755)?;
        archive.directory(&entry("etc/hyperledger/fabric"), 0o755)?;
        archive.bytes(&entry("etc/passwd"), 0o644, PASSWD.as_bytes())?;
        archive.directory(&entry("etc/ssl"), 0o755)?;
        archive.directory(&entry("etc/ssl/certs"), 0o755)?;
        archive.bytes(&entry("etc/ssl/certs/ca-certificates.crt"), 0o644, &self.certificates)?;
        archive.directory(&entry("tmp"), 0o1777)?;
        zones::add(archive)
    }
}

/// A path written in this crate's source.
pub(super) fn entry(path: &'static str) -> EntryPath {
    EntryPath::parse(path.as_bytes()).expect("paths in the source are good")
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "-----BEGIN CERTIFICATE-----\nQUFB\nQUFB\n-----END CERTIFICATE-----\n";
    const B: &str = "-----BEGIN CERTIFICATE-----\r\nQkJC\r\n-----END CERTIFICATE-----\r\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nU0VD\n-----END PRIVATE KEY-----\n";

    #[test]
    fn only_certificates_matter() {
        let one = Base::from_pem(&format!("# one\n{A}{B}")).unwrap();
        let other = Base::from_pem(&format!("{B}\n{KEY}\n# two\n{A}{A}")).unwrap();
        assert_eq!(one.diff_id().unwrap(), other.diff_id().unwrap());
        assert!(!String::from_utf8(other.certificates).unwrap().contains("PRIVATE"));
    }

    #[test]
    fn no_certificates_no_base() {
        assert!(Base::from_pem("").is_none());
        assert!(Base::from_pem(KEY).is_none());
        assert!(Base::from_pem("-----BEGIN CERTIFICATE-----\nQUFB\n").is_none());
    }
}
