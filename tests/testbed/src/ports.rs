//! Ports that are free, stay ours while a server restarts, and never go to two testbeds.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::{io, process};

use thiserror::Error;

use crate::cache::{self, CacheError};

/// Below the kernel's default range for outgoing connections (`ip_local_port_range`, from 32768):
/// no client can take one of these between our look and the server's bind.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port on 127.0.0.1 that no other testbed uses until this is dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// The lock is the lease.
    _lease: File,
}

/// No port could be leased.
#[derive(Debug, Error)]
pub enum PortError {
    /// The directory of leases cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// All ports of the range are taken.
    #[error("no free port on 127.0.0.1 between {FIRST} and {last}", last = FIRST + COUNT)]
    None,
}

impl Port {
    /// Leases a port that nothing listens on.
    pub fn lease() -> Result<Self, PortError> {
        let leases = cache::root()?.join("ports");
        fs::create_dir_all(&leases).map_err(|e| cache::io_error("create", &leases, e))?;
        let start = start();
        (0..COUNT)
            .map(|step| FIRST + (start + step) % COUNT)
            .find_map(|number| Self::try_lease(&leases, number))
            .ok_or(PortError::None)
    }

    fn try_lease(leases: &Path, number: u16) -> Option<Self> {
        let lease = File::create(leases.join(number.to_string())).ok()?;
        lease.try_lock().ok()?;
        is_free(number).ok()?;
        Some(Self { number, _lease: lease })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// Binding every address is refused when any one of them is in use.
fn is_free(number: u16) -> io::Result<()> {
    TcpListener::bind(("0.0.0.0", number)).map(drop)
}

/// Processes begin at different places, so that they seldom look at the same port.
fn start() -> u16 {
    u16::try_from(u64::from(process::id()) * 7919 % u64::from(COUNT)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_leases_are_two_ports() {
        let first = Port::lease().unwrap();
        let second = Port::lease().unwrap();
        assert_ne!(first.number(), second.number());
    }

    #[test]
    fn a_port_that_something_listens_on_is_not_leased() {
        let leases = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let number = listener.local_addr().unwrap().port();
        assert!(Port::try_lease(leases.path(), number).is_none());
        drop(listener);
        assert!(Port::try_lease(leases.path(), number).is_some());
    }
}
