//! The authority of a launcher apart, in a directory: whose certificates its peers show to it, and it to
//! them. Who has its key is every peer to the launcher, and the launcher to every peer.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, PublicKeyData, SanType};
use time::{Duration, OffsetDateTime};
use x509_parser::pem::parse_x509_pem;

use super::identity;
use crate::caller::PeerName;
use crate::certificate_forms::{LIFE, authority, leaf};

/// The authority's certificate.
const CERTIFICATE: &str = "tls.crt";

/// Its key.
const KEY: &str = "tls.key";

/// What it is called in its certificates.
const NAME: &str = "Selvedge launcher authority";

/// Why there is no authority, or nothing of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error("cannot make the directory {} of the launcher's authority", .0.display())]
    Directory(PathBuf, #[source] io::Error),
    #[error("cannot read {} of the launcher's authority", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("cannot write {} of the launcher's authority", .0.display())]
    Unwritable(PathBuf, #[source] io::Error),
    #[error(
        "{} does not hold an authority that a launcher has made; name another directory, of which one is \
         made if it is not there", .0.display()
    )]
    Foreign(PathBuf),
    #[error("the launcher's authority in {} has ended, or is about to: remove it, and issue anew", .0.display())]
    Ended(PathBuf),
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
}

/// The authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, as PEM.
    root: String,
    /// Until when that is valid.
    until: OffsetDateTime,
    directory: PathBuf,
}

/// A certificate that was issued, with its key, as PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) until: OffsetDateTime,
}

impl Authority {
    /// The authority in a directory, which is made if there is none.
    pub(crate) fn open(directory: &Path) -> Result<Self, AuthorityError> {
        let path = directory.join(KEY);
        if !path.try_exists().map_err(|error| AuthorityError::Unreadable(path, error))? {
            make(directory)?;
        }
        let read = |name: &str| {
            let path = directory.join(name);
            fs::read_to_string(&path).map_err(|error| AuthorityError::Unreadable(path, error))
        };
        let (root, key) = (read(CERTIFICATE)?, read(KEY)?);
        let foreign = || AuthorityError::Foreign(directory.into());
        let key = KeyPair::from_pem(&key).map_err(|_| foreign())?;
        let until = end_of(&root, &key).ok_or_else(foreign)?;
        let issuer = Issuer::new(authority(NAME), key);
        Ok(Self { issuer, root, until, directory: directory.into() })
    }

    /// Its own certificate, as PEM.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// What a peer shows the launcher.
    pub(crate) fn peer(&self, peer: &PeerName, life: Duration) -> Result<Issued, AuthorityError> {
        let mut parameters = leaf(peer.as_str(), ExtendedKeyUsagePurpose::ClientAuth, life);
        let uri = identity::uri(peer).try_into()?;
        parameters.subject_alt_names.push(SanType::URI(uri));
        self.issue(&parameters)
    }

    /// What the launcher shows its peers, who call it so.
    pub(crate) fn launcher(
        &self,
        names: &[String],
        life: Duration,
    ) -> Result<Issued, AuthorityError> {
        let mut parameters = leaf("Selvedge launcher", ExtendedKeyUsagePurpose::ServerAuth, life);
        for name in names {
            parameters.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(name.as_str().try_into()?),
            });
        }
        self.issue(&parameters)
    }

    fn issue(&self, parameters: &CertificateParams) -> Result<Issued, AuthorityError> {
        let until = parameters.not_after;
        // Nothing is worth more than what vouches for it.
        if until > self.until {
            return Err(AuthorityError::Ended(self.directory.clone()));
        }
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &self.issuer)?.pem();
        Ok(Issued { certificate, key: key.serialize_pem(), until })
    }
}

/// Makes an authority in a directory of its own, as a whole: a launcher and who issues may do so at the
/// same time, and the first one's stays.
fn make(directory: &Path) -> Result<(), AuthorityError> {
    let failed = |error| AuthorityError::Directory(directory.into(), error);
    let parent = directory.parent().unwrap_or(directory);
    DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
    let made = tempfile::Builder::new().prefix(".authority-").tempdir_in(parent).map_err(failed)?;
    let key = KeyPair::generate()?;
    let certificate = authority(NAME).self_signed(&key)?.pem();
    for (name, text) in [(CERTIFICATE, certificate), (KEY, key.serialize_pem())] {
        let path = made.path().join(name);
        write(&path, &text).map_err(|error| AuthorityError::Unwritable(path, error))?;
    }
    match fs::rename(made.path(), directory) {
        Ok(()) => {
            // It is somewhere else by now.
            let _ = made.keep();
            Ok(())
        }
        // Somebody was faster; or what is there is none, which whoever reads it says.
        Err(_) if directory.join(CERTIFICATE).exists() => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

/// Until when an authority of ours is valid, whose key this is.
fn end_of(certificate: &str, key: &KeyPair) -> Option<OffsetDateTime> {
    let (_, pem) = parse_x509_pem(certificate.as_bytes()).ok()?;
    let certificate = pem.parse_x509().ok()?;
    let is_ours = certificate.public_key().raw == key.subject_public_key_info()
        && certificate.subject().iter_common_name().any(|name| name.as_str() == Ok(NAME));
    is_ours.then(|| certificate.validity().not_after.to_datetime())
}

/// The longest life of what is issued: an authority has ten years.
pub(super) const LONGEST: Duration = Duration::days(365);

const _: () = assert!(LONGEST.whole_days() < LIFE.whole_days());
