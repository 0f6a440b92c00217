//! The way to the launcher, for all who call it: the executables that a peer forks, and a person's
//! command line. Over its socket, or over TLS where it is apart from the peer.

mod address;
mod apart;
mod caller;
mod connection;
mod credentials;
mod error;
mod launcher;

pub use address::{Address, DEFAULT, NoAddress, VARIABLE};
pub use caller::Caller;
pub use connection::Connection;
pub use credentials::{
    AUTHORITY_FILE, CERTIFICATE_FILE, CREDENTIALS, Credentials, CredentialsError,
    DEFAULT_CREDENTIALS, KEY_FILE,
};
pub use error::LauncherError;
