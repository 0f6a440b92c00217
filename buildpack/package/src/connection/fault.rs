//! What may be wrong with a `connection.json`. Reads on from the file's name and a colon.

use std::fmt;

use super::address::AddressFault;
use super::field::Field;
use super::pem::PemFault;
use super::shown::quoted;
use super::template::TemplateFault;
use super::values::ValueFault;
use crate::GoJsonError;

/// The largest file that is read, in bytes: three PEM texts, and room for long chains.
pub const MAX_CONNECTION_BYTES: u64 = 1 << 20;

/// One thing that is wrong with it. What stands where a key may stand is never shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionFault {
    /// More bytes than Selvedge reads.
    #[error("it is larger than {MAX_CONNECTION_BYTES} bytes")]
    TooLarge,
    /// Nothing that a peer can read.
    #[error("it is not a JSON object: {0}")]
    Malformed(#[from] GoJsonError),
    /// A value of a type that the field cannot have.
    #[error("{field} is {found}: it must be {}", field.wanted())]
    Type {
        /// The field.
        field: Field,
        /// What it is.
        found: String,
    },
    /// A text that is no template.
    #[error("{field} {fault}")]
    Template {
        /// The field.
        field: Field,
        /// Why.
        fault: TemplateFault,
    },
    /// A template that cannot be filled in here.
    #[error("{field} {fault}")]
    Value {
        /// The field.
        field: Field,
        /// Why.
        fault: ValueFault,
    },
    /// A field that is needed, and not there or empty.
    #[error("{field} is missing{}: it must be {}", field.reason(), field.wanted())]
    Missing {
        /// The field.
        field: Field,
    },
    /// No address that a peer could dial.
    #[error("{} is {}, which {fault}: it must be {}", Field::Address, quoted(address), Field::Address.wanted())]
    Address {
        /// The address.
        address: String,
        /// Why.
        fault: AddressFault,
    },
    /// Nothing that Go takes for a duration, or one that is over before it begins.
    #[error("`dial_timeout` is {}: it must be a number with a unit and no space between them, such \
             as \"10s\", \"500ms\" or \"1m30s\"", quoted(.0))]
    Duration(String),
    /// No PEM, or other than is needed.
    #[error("{field} {fault}")]
    Pem {
        /// The field.
        field: Field,
        /// Why.
        fault: PemFault,
    },
}

/// All that is wrong with it: at least one.
#[derive(Debug)]
pub struct ConnectionFaults(Vec<ConnectionFault>);

impl ConnectionFaults {
    /// Nothing if nothing is wrong.
    pub(super) fn none_of(faults: Vec<ConnectionFault>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self(faults)) }
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &ConnectionFault> {
        self.0.iter()
    }
}

impl From<ConnectionFault> for ConnectionFaults {
    fn from(fault: ConnectionFault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for ConnectionFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&faults.join("; "))
    }
}

impl std::error::Error for ConnectionFaults {}
