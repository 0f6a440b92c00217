//! The way to the launcher, for all who call it over its socket: the executables that a peer forks,
//! and a person's command line.

mod caller;
mod connection;
mod launcher;

pub use caller::Caller;
pub use connection::Connection;
pub use launcher::{Address, DEFAULT, LauncherError, NoAddress, VARIABLE};
