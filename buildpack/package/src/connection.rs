//! `connection.json`: where the server of a ccaas chaincode is, and how a peer dials it.
//!
//! A peer reads it as Selvedge's `release` leaves it (Fabric
//! `core/container/externalbuilder/instance.go`, `ChaincodeServerUserData`), and then dials and
//! never calls `run`. What a package has is read as Fabric's own builder reads it
//! (`ccaas_builder/cmd/build/main.go`): texts are templates, and without TLS nothing that is only
//! for TLS counts. But what a peer could not dial is refused here, at the install, and not at the
//! first call; and a field that is left out stays out, which a peer takes for its default, where
//! Fabric's builder writes `""`, at which a peer stumbles.

mod address;
mod duration;
mod fault;
mod field;
mod field_path;
mod fields;
mod pem;
mod server;
mod shown;
mod template;
mod values;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

pub use self::address::AddressFault;
pub use self::fault::{ConnectionFault, ConnectionFaults, MAX_CONNECTION_BYTES};
pub use self::field::Field;
pub use self::pem::PemFault;
pub use self::server::Server;
pub use self::template::TemplateFault;
pub use self::values::{CONFIG_VARIABLE, InvalidValues, ValueFault, Values};

use self::fields::Fields;
use self::template::Template;

/// The file's name, at the top of a ccaas package's code.
pub const CONNECTION_FILE: &str = "connection.json";

/// A `connection.json` as a package has it, in which nothing is wrong that can be seen without the
/// values that a peer's operator fills in.
#[derive(Clone, Debug)]
pub struct Connection(Fields<Template>);

/// Why nobody can tell where a chaincode is served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The code does not say.
    #[error(
        "the code has no {CONNECTION_FILE} at its top: a chaincode of type ccaas has one, which says \
         where it is served"
    )]
    Missing,
    /// It cannot be read.
    #[error("cannot read {path}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It says nothing that a peer could dial.
    #[error("{CONNECTION_FILE}")]
    Faults(#[from] ConnectionFaults),
}

/// How a peer's connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// It is not.
    None,
    /// By TLS.
    Tls,
    /// By TLS, and the peer has a certificate, too.
    Mutual,
}

impl Connection {
    /// Reads the file at the top of a package's unpacked code.
    pub fn of_code(code: &Path) -> Result<Self, ConnectionError> {
        let path = code.join(CONNECTION_FILE);
        let mut json = Vec::new();
        let read = File::open(&path)
            // A byte more than there may be shows that it is too large.
            .and_then(|file| file.take(MAX_CONNECTION_BYTES + 1).read_to_end(&mut json));
        match read {
            Ok(_) => Ok(Self::read(&json)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ConnectionError::Missing),
            Err(source) => Err(ConnectionError::Read { path, source }),
        }
    }

    /// Reads the content of a file.
    pub fn read(json: &[u8]) -> Result<Self, ConnectionFaults> {
        if json.len() as u64 > MAX_CONNECTION_BYTES {
            return Err(ConnectionFault::TooLarge.into());
        }
        let fields = Fields::read(json)?;
        ConnectionFaults::none_of(fields.faults(Template::literal))?;
        Ok(Self(fields))
    }

    /// The server that a peer with these values dials.
    pub fn server(&self, values: &Values) -> Result<Server, ConnectionFaults> {
        let filled = self.0.map(|field, template| {
            template.filled(values).map_err(|fault| ConnectionFault::Value { field, fault })
        })?;
        ConnectionFaults::none_of(filled.faults(|text| Some(text)))?;
        Ok(Server(filled))
    }

    /// The address, with its gaps.
    pub fn address(&self) -> String {
        self.0.address.to_string()
    }

    /// How long a peer may try to connect, unless it is the peer's own 3 s.
    pub fn dial_timeout(&self) -> Option<String> {
        Some(self.0.dial_timeout.to_string()).filter(|text| !text.is_empty())
    }

    /// How the connection is protected.
    pub fn protection(&self) -> Protection {
        match &self.0.tls {
            None => Protection::None,
            Some(tls) if tls.client.is_none() => Protection::Tls,
            Some(_) => Protection::Mutual,
        }
    }

    /// What [`CONFIG_VARIABLE`] has to have in it, sorted.
    pub fn wanted(&self) -> Vec<String> {
        let fields = self.0.all().into_iter().flat_map(|(_, template)| template.fields());
        fields.map(ToString::to_string).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
