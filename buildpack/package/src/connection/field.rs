//! The fields that a `connection.json` may have.

use std::fmt;

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Where the server is.
    Address,
    /// How long a peer may try to connect.
    DialTimeout,
    /// Whether TLS protects the connection.
    TlsRequired,
    /// Whether the peer has a certificate, too.
    ClientAuthRequired,
    /// The name to expect in the server's certificate. Fabric's builder drops it; a peer from v3.0
    /// on reads it, as `docs/source/cc_service.md` says there.
    Domain,
    /// The authority that vouches for the server.
    RootCert,
    /// The peer's private key.
    ClientKey,
    /// The peer's certificate.
    ClientCert,
}

impl Field {
    /// All of them.
    pub(super) const ALL: [Self; 8] = [
        Self::Address,
        Self::DialTimeout,
        Self::TlsRequired,
        Self::ClientAuthRequired,
        Self::Domain,
        Self::RootCert,
        Self::ClientKey,
        Self::ClientCert,
    ];

    /// Its name in the file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::DialTimeout => "dial_timeout",
            Self::TlsRequired => "tls_required",
            Self::ClientAuthRequired => "client_auth_required",
            Self::Domain => "domain",
            Self::RootCert => "root_cert",
            Self::ClientKey => "client_key",
            Self::ClientCert => "client_cert",
        }
    }

    /// What it has to be.
    pub(super) fn wanted(self) -> &'static str {
        match self {
            Self::Address => "host and port in quotes, such as \"asset.example.com:9999\"",
            Self::DialTimeout => "a duration in quotes, such as \"10s\"",
            Self::TlsRequired | Self::ClientAuthRequired => "true or false, without quotes",
            Self::Domain => "a host's name in quotes",
            Self::RootCert => {
                "the PEM certificate, in quotes, of the authority that vouches for the server"
            }
            Self::ClientKey => "the peer's private key, as PEM in quotes",
            Self::ClientCert => "the peer's certificate, as PEM in quotes",
        }
    }

    /// What makes it needed.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::RootCert => ", and `tls_required` is true",
            Self::ClientKey | Self::ClientCert => ", and `client_auth_required` is true",
            _ => "",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name())
    }
}
