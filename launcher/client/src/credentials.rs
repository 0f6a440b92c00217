//! What a peer shows a launcher that is apart from it: a certificate and its key, in files that are read
//! at each call, so that what was renewed is used from then on.
//!
//! The files' names are those of Kubernetes' Secrets of the type `kubernetes.io/tls`.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio_rustls::rustls::{
    self, ClientConfig, InconsistentKeys, RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{Error as PemError, PemObject},
    },
    version::TLS13,
};

/// The environment variable that names the directory with the credentials.
pub const CREDENTIALS: &str = "SELVEDGE_CREDENTIALS";

/// Where they are unless the variable says otherwise.
pub const DEFAULT_CREDENTIALS: &str = "/etc/selvedge/credentials";

/// The certificate of the authority which the launcher's own has to be of.
pub const AUTHORITY_FILE: &str = "ca.crt";

/// The peer's certificate.
pub const CERTIFICATE_FILE: &str = "tls.crt";

/// Its key.
pub const KEY_FILE: &str = "tls.key";

/// How often certificate and key are read that do not belong together: somebody may be renewing them.
const READS: usize = 3;

/// How long between two of these.
const PAUSE: Duration = Duration::from_millis(50);

/// Why the credentials are of no use.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file cannot be read.
    #[error("cannot read {path}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds none of what it has to.
    #[error("{path} is not what it has to be, PEM with a {what}", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        what: &'static str,
        /// How that shows.
        source: PemError,
    },
    /// Together they are none.
    #[error("{CERTIFICATE_FILE}, {KEY_FILE} and {AUTHORITY_FILE} cannot be used for TLS")]
    Unusable(#[from] rustls::Error),
}

/// Where the credentials are.
#[derive(Clone, Debug)]
pub struct Credentials(PathBuf);

impl Credentials {
    /// Those that the environment names, or those in the usual place.
    pub fn from_environment() -> Self {
        let named = env::var_os(CREDENTIALS).filter(|value| !value.is_empty());
        Self::in_directory(named.map_or(DEFAULT_CREDENTIALS.into(), PathBuf::from))
    }

    /// Those in a directory.
    pub fn in_directory(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// Reads them, for a connection.
    pub(crate) fn read(&self) -> Result<ClientConfig, CredentialsError> {
        let mut reads = 1;
        loop {
            match self.read_once() {
                Err(CredentialsError::Unusable(rustls::Error::InconsistentKeys(
                    InconsistentKeys::KeyMismatch,
                ))) if reads < READS => {
                    reads += 1;
                    // Nothing else goes on in a process that has not called yet.
                    thread::sleep(PAUSE);
                }
                read => return read,
            }
        }
    }

    fn read_once(&self) -> Result<ClientConfig, CredentialsError> {
        let mut roots = RootCertStore::empty();
        for root in self.certificates(AUTHORITY_FILE)? {
            roots.add(root)?;
        }
        let (path, text) = self.file(KEY_FILE)?;
        let key = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|source| CredentialsError::Malformed { path, what: "key", source })?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(self.certificates(CERTIFICATE_FILE)?, key)?;
        config.alpn_protocols.push(b"h2".to_vec());
        Ok(config)
    }

    fn certificates(&self, name: &str) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
        let (path, text) = self.file(name)?;
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let all =
            all.and_then(|all| if all.is_empty() { Err(PemError::NoItemsFound) } else { Ok(all) });
        all.map_err(|source| CredentialsError::Malformed { path, what: "certificate", source })
    }

    fn file(&self, name: &str) -> Result<(PathBuf, Vec<u8>), CredentialsError> {
        let path = self.0.join(name);
        match fs::read(&path) {
            Ok(text) => Ok((path, text)),
            Err(source) => Err(CredentialsError::Unreadable { path, source }),
        }
    }
}
