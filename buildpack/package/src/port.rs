//! The port at which a chaincode listens that has one of its own.

use std::fmt;

use serde::Serialize;

/// The lowest port that a program without rights may listen at (`ip(7)`,
/// `ip_unprivileged_port_start`).
const LOWEST: u16 = 1024;

/// A port at which a chaincode listens whatever it is told: 1024 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ServerPort(u16);

/// No port at which a chaincode could listen.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0} is no port of a chaincode's: it is a number from {LOWEST} to 65535, since nobody without \
     rights listens below"
)]
pub struct UnfitPort(u64);

impl ServerPort {
    /// The port of that number.
    ///
    /// # Errors
    ///
    /// When it is below 1024 or above 65535.
    pub fn new(number: u64) -> Result<Self, UnfitPort> {
        let port = u16::try_from(number).ok().filter(|port| *port >= LOWEST);
        port.map(Self).ok_or(UnfitPort(number))
    }

    /// Its number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for ServerPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
