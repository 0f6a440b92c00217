//! What may be wrong with a launcher, or the way to it.

use std::{
    error::Error,
    io,
    path::{Display, Path},
    time::Duration,
};

use tokio_rustls::rustls::{self, AlertDescription};

use crate::{
    address::{Address, DEFAULT, Place, VARIABLE},
    credentials::{CREDENTIALS, Credentials, CredentialsError},
};

/// What issues credentials, and renews them.
const ISSUE: &str = "`selvedge-launcher issue PEER`, where the launcher is";

/// Why the launcher does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LauncherError {
    /// The environment names no address.
    #[error(
        "{VARIABLE} is {0:?}, which is no address of a launcher: it must be unix: and the absolute path of its socket, such as {DEFAULT}, or of a launcher apart tls:HOST:PORT"
    )]
    Address(String),
    /// There is no such socket, or nobody listens on it.
    #[error("no launcher at {address}: start selvedge-launcher, or {way}", way = address.caller.address())]
    Absent {
        /// The address tried.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// The socket is not for this user.
    #[error("not allowed to connect to the launcher at {address}: {way}", way = address.caller.admission())]
    Denied {
        /// The address tried.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// What a launcher apart is to be shown cannot be used.
    #[error(
        "cannot use what the launcher at {address} is to be shown, in {directory}: have it issued by {ISSUE}, and name its directory by {CREDENTIALS}",
        directory = directory(.address)
    )]
    Credentials {
        /// The address that was to be tried.
        address: Address,
        /// What is wrong with them.
        source: CredentialsError,
    },
    /// What listens there does not show a certificate of the launcher's.
    #[error(
        "what listens at {address} does not prove that it is the launcher: call it as apart.names in the operator's file has it, or have the credentials in {directory} issued anew by {ISSUE}",
        directory = directory(.address)
    )]
    Impostor {
        /// The address tried.
        address: Address,
        /// What is wrong with the one that was shown.
        source: rustls::Error,
    },
    /// It does not take the certificate.
    #[error(
        "the launcher at {address} does not let this peer in, as {reason}: have the credentials in {directory} renewed by {ISSUE}",
        reason = reason(*alert),
        directory = directory(.address)
    )]
    Barred {
        /// The address tried.
        address: Address,
        /// What it said.
        alert: AlertDescription,
    },
    /// What listens there does not speak gRPC.
    #[error("what listens at {address} is no Selvedge launcher: {way}", way = address.caller.address())]
    Stranger {
        /// The address tried.
        address: Address,
        /// What it did.
        source: Cause,
    },
    /// It accepts the connection and says nothing.
    #[error("the launcher at {0} does not answer: it took the connection and was silent for {seconds} s", seconds = .1.as_secs())]
    Mute(Address, Duration),
    /// It speaks gRPC, but does not know what it was asked for.
    #[error("the launcher at {address} is of another version: {unknown}", unknown = address.caller.unknown())]
    Version {
        /// The address tried.
        address: Address,
    },
    /// The connection broke.
    #[error("the launcher at {address} went away")]
    Lost {
        /// The address tried.
        address: Address,
        /// How it showed.
        source: Cause,
    },
    /// It answered that it could not, and why.
    #[error("{0}")]
    Refused(String),
}

pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// Where what is shown at an address is; one of which that can be told has it.
fn directory(address: &Address) -> Display<'_> {
    address.credentials().map_or(Path::new(""), Credentials::directory).display()
}

/// What a launcher has against a certificate, in words.
fn reason(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateExpired => "its certificate has expired".into(),
        // The latter where the other has the same name, as all have that launchers make.
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "its certificate is of another authority".into()
        }
        AlertDescription::CertificateRequired => "it shows no certificate".into(),
        other => format!("its certificate does not do ({other:?})"),
    }
}

impl LauncherError {
    /// That nobody is reached there.
    pub(crate) fn unreachable(address: &Address, source: io::Error) -> Self {
        let address = address.clone();
        match (&address.place, source.kind()) {
            (Place::Beside(_), io::ErrorKind::PermissionDenied) => Self::Denied { address, source },
            _ => Self::Absent { address, source },
        }
    }

    /// Whether what listens there has closed the connection without a word.
    pub(crate) fn is_hang_up(&self) -> bool {
        let Self::Stranger { source, .. } = self else { return false };
        let causes = std::iter::successors(Some(&**source as &dyn Error), |&it| it.source());
        let mut faults = causes.filter_map(|cause| cause.downcast_ref::<io::Error>());
        faults.any(|fault| {
            use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
            matches!(fault.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
        })
    }
}
