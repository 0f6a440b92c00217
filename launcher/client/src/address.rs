//! Where the launcher is.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use tokio_rustls::rustls::pki_types::ServerName;

use crate::{caller::Caller, credentials::Credentials};

/// The environment variable that names the launcher's address.
pub const VARIABLE: &str = "SELVEDGE_LAUNCHER";

/// Where the launcher is unless the variable says otherwise.
pub const DEFAULT: &str = "unix:/run/selvedge/launcher.sock";

/// A text that names no launcher.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected unix: and the absolute path of the launcher's socket, such as {DEFAULT}, or of a launcher \
     apart tls: with its name and port, such as tls:launcher.example.com:7060"
)]
pub struct NoAddress;

/// A launcher's address, and who calls there.
#[derive(Clone, Debug)]
pub struct Address {
    pub(crate) place: Place,
    pub(crate) caller: Caller,
}

/// Where it listens.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Beside the peer, on a unix socket.
    Beside(PathBuf),
    /// Apart from it.
    Apart(Box<Apart>),
}

/// Where a launcher listens that is apart from the peer.
#[derive(Clone, Debug)]
pub(crate) struct Apart {
    /// A name, or an address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The same host, as its certificate has to have it.
    pub(crate) name: ServerName<'static>,
    /// What it is shown.
    pub(crate) credentials: Credentials,
}

impl Address {
    /// The address that a text names.
    pub fn parse(address: &str, caller: Caller) -> Result<Self, NoAddress> {
        let (scheme, rest) = address.split_once(':').ok_or(NoAddress)?;
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let place = match scheme {
            "unix" if Path::new(rest).is_absolute() => Place::Beside(rest.into()),
            "tls" => Place::Apart(Box::new(Apart::parse(rest)?)),
            _ => return Err(NoAddress),
        };
        Ok(Self { place, caller })
    }

    /// The same address, where a launcher apart is shown the credentials in this directory instead of
    /// those that the environment names.
    #[must_use]
    pub fn showing(mut self, directory: PathBuf) -> Self {
        if let Place::Apart(apart) = &mut self.place {
            apart.credentials = Credentials::in_directory(directory);
        }
        self
    }

    /// What is shown to the launcher, if it is one that is apart.
    pub fn credentials(&self) -> Option<&Credentials> {
        match &self.place {
            Place::Apart(apart) => Some(&apart.credentials),
            Place::Beside(_) => None,
        }
    }
}

impl Apart {
    fn parse(text: &str) -> Result<Self, NoAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(NoAddress)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        // Colons are in brackets, or the last of them is no port's.
        if bare.is_none() && host.contains(':') {
            return Err(NoAddress);
        }
        let host = bare.unwrap_or(host).to_owned();
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(NoAddress)?;
        let name = ServerName::try_from(host.clone()).map_err(|_| NoAddress)?;
        Ok(Self { host, port, name, credentials: Credentials::from_environment() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Beside(path) => write!(out, "unix:{}", path.display()),
            Place::Apart(apart) if apart.host.contains(':') => {
                write!(out, "tls:[{}]:{}", apart.host, apart.port)
            }
            Place::Apart(apart) => write!(out, "tls:{}:{}", apart.host, apart.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Caller};

    #[test]
    fn addresses_are_unix_sockets_or_hosts_with_ports() {
        for (address, told) in [
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            ("unix:///run/a.sock", "unix:/run/a.sock"),
            ("tls:launcher.example.com:7060", "tls:launcher.example.com:7060"),
            ("tls://launcher:7060", "tls:launcher:7060"),
            ("tls:10.0.0.7:7060", "tls:10.0.0.7:7060"),
            ("tls:[fd00::7]:7060", "tls:[fd00::7]:7060"),
        ] {
            let parsed = Address::parse(address, Caller::Builder).unwrap();
            assert_eq!(parsed.to_string(), told);
        }
        for address in [
            "",
            "unix:",
            "unix:a.sock",
            "/run/a.sock",
            "127.0.0.1:7052",
            "tls:launcher",
            "tls::7060",
            "tls:launcher:0",
            "tls:launcher:70600",
            "tls:a name:7060",
            "tls:fd00::7:7060",
            "tcp:launcher:7060",
        ] {
            assert!(Address::parse(address, Caller::Builder).is_err(), "{address}");
        }
    }
}
