//! The certificate that the launcher shows its peers: short-lived, and made anew before it ends, while
//! calls go on.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use time::{Duration, OffsetDateTime};
use tracing::{error, info};

use super::authority::{Authority, AuthorityError};
use crate::configuration::Configuration;
use crate::error_chain::one_line;

/// How long a certificate is valid. Half of that is left at least to who sees it.
const LIFE: Duration = Duration::days(7);

/// Why there is no certificate to be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotCertified {
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error("the certificate of the launcher cannot be used for TLS")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("the certificate of the launcher cannot be used for TLS")]
    Tls(#[from] rustls::Error),
}

/// Has a certificate, by the names that are in force.
pub(super) struct Certifier {
    authority: Authority,
    configuration: Configuration,
    shown: Mutex<Shown>,
}

/// What is shown now.
struct Shown {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    /// From when on there is to be another one.
    aged: OffsetDateTime,
}

impl Certifier {
    /// Has one from the beginning.
    pub(super) fn new(
        authority: Authority,
        configuration: Configuration,
    ) -> Result<Self, NotCertified> {
        let shown = Shown::new(&authority, names(&configuration), OffsetDateTime::now_utc())?;
        Ok(Self { authority, configuration, shown: Mutex::new(shown) })
    }

    /// The authority's certificate, as PEM.
    pub(super) fn root(&self) -> &str {
        self.authority.root()
    }

    /// The certificate for who calls at this time.
    pub(super) fn at(&self, now: OffsetDateTime) -> Arc<CertifiedKey> {
        // Whatever panics under this lock has changed nothing.
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let names = names(&self.configuration);
        if now >= shown.aged || names != shown.names {
            match Shown::new(&self.authority, names, now) {
                Ok(renewed) => {
                    info!(
                        names = renewed.names.join(", "),
                        "the launcher's certificate is renewed"
                    );
                    *shown = renewed;
                }
                Err(error) => {
                    error!(error = one_line(&error), "the launcher's certificate is not renewed");
                }
            }
        }
        Arc::clone(&shown.key)
    }
}

impl Shown {
    fn new(
        authority: &Authority,
        names: Vec<String>,
        now: OffsetDateTime,
    ) -> Result<Self, NotCertified> {
        let issued = authority.launcher(&names, LIFE)?;
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(issued.certificate.as_bytes()).collect();
        let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes())?;
        let provider: CryptoProvider = ring::default_provider();
        let key = Arc::new(CertifiedKey::from_der(chain?, key, &provider)?);
        Ok(Self { key, names, aged: now + LIFE / 2 })
    }
}

/// What peers call the launcher.
fn names(configuration: &Configuration) -> Vec<String> {
    configuration.now().apart().map(|apart| apart.names.clone()).unwrap_or_default()
}

impl ResolvesServerCert for Certifier {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.at(OffsetDateTime::now_utc()))
    }
}

impl fmt::Debug for Certifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It holds keys.
        out.write_str("Certifier")
    }
}
