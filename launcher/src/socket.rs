//! The unix socket on which the builders reach the launcher.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::settings::ListenAddress;

/// The owner and the group may connect: the peer runs as another user of the same group.
const MODE: u32 = 0o660;

/// Why the socket cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    #[error("cannot make the directory {path} of the socket")]
    Directory { path: PathBuf, source: io::Error },
    #[error("cannot listen on {path}")]
    Bind { path: PathBuf, source: io::Error },
    #[error("another launcher answers on {path}; stop it, or choose another address with --listen")]
    Taken { path: PathBuf },
}

/// The listening socket; its file goes when this does.
#[derive(Debug)]
pub(crate) struct ApiSocket {
    /// None once the file is gone, and its name another launcher's to take.
    path: Option<PathBuf>,
    listener: UnixListener,
}

impl ApiSocket {
    /// Listens on the address. A socket that a dead launcher left is replaced.
    pub(crate) fn bind(address: &ListenAddress) -> Result<Self, SocketError> {
        let path = address.0.clone();
        if let Some(directory) = path.parent() {
            let mut make = fs::DirBuilder::new();
            make.recursive(true)
                .mode(0o750)
                .create(directory)
                .map_err(|source| SocketError::Directory { path: directory.into(), source })?;
        }
        if UnixStream::connect(&path).is_ok() {
            return Err(SocketError::Taken { path });
        }
        let listener = Self::replace(&path)
            .map_err(|source| SocketError::Bind { path: path.clone(), source })?;
        Ok(Self { path: Some(path), listener })
    }

    /// Binds under a name of its own and renames: the socket is never there with
    /// another mode than its own, nor missing while an old one is replaced.
    fn replace(path: &Path) -> io::Result<UnixListener> {
        let fresh = path.with_extension(format!("{}", std::process::id()));
        let listener = UnixListener::bind(&fresh)?;
        let placed = fs::set_permissions(&fresh, fs::Permissions::from_mode(MODE))
            .and_then(|()| listener.set_nonblocking(true))
            .and_then(|()| fs::rename(&fresh, path));
        if placed.is_err() {
            let _ = fs::remove_file(&fresh);
        }
        placed.map(|()| listener)
    }

    /// The listener, for the runtime that is entered.
    pub(crate) fn listener(&self) -> io::Result<tokio::net::UnixListener> {
        tokio::net::UnixListener::from_std(self.listener.try_clone()?)
    }
}

impl ApiSocket {
    /// Takes the file away, so that who calls from now on waits for the launcher that may follow. Who
    /// is connected is served on.
    pub(crate) fn leave(&mut self) {
        if let Some(path) = self.path.take() {
            // Gone already is as good.
            let _ = fs::remove_file(path);
        }
    }
}

impl Drop for ApiSocket {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(directory: &Path) -> ListenAddress {
        ListenAddress(directory.join("run/launcher.sock"))
    }

    #[test]
    fn only_owner_and_group_may_connect() {
        let directory = tempfile::tempdir().unwrap();
        let address = address(directory.path());
        let socket = ApiSocket::bind(&address).unwrap();
        assert_eq!(fs::metadata(&address.0).unwrap().permissions().mode() & 0o777, 0o660);
        drop(socket);
        assert!(!address.0.exists());
    }

    #[test]
    fn one_that_leaves_has_nobody_call_it_and_takes_nothing_from_who_follows() {
        let directory = tempfile::tempdir().unwrap();
        let address = address(directory.path());
        let mut leaving = ApiSocket::bind(&address).unwrap();
        leaving.leave();
        assert!(!address.0.exists());
        let following = ApiSocket::bind(&address).unwrap();
        drop(leaving);
        UnixStream::connect(&address.0).unwrap();
        drop(following);
        assert!(!address.0.exists());
    }

    #[test]
    fn a_second_launcher_is_refused_and_a_dead_ones_socket_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let address = address(directory.path());
        let socket = ApiSocket::bind(&address).unwrap();
        assert!(matches!(ApiSocket::bind(&address), Err(SocketError::Taken { .. })));
        // As a killed launcher leaves it: the file stays, nobody listens.
        drop(socket);
        drop(UnixListener::bind(&address.0).unwrap());
        // A child of another test has the listener, too, until it has become its program.
        while UnixStream::connect(&address.0).is_ok() {}
        ApiSocket::bind(&address).unwrap();
    }
}
