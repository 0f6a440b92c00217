//! The four executables that a Fabric peer forks for each chaincode.
//!
//! One module per executable; the others are what they share. The interface to
//! the peer is an exit code and stderr, of which each line becomes a line of the
//! peer's log (Fabric's `core/container/externalbuilder/session.go`).

pub mod build;
pub mod detect;
pub mod release;
pub mod run;

mod call;
mod host_program;
mod json;
mod lines;
mod metadata;
mod output;
mod peer;
mod runtime;
mod server;
mod session;
mod signals;
mod source;
mod usage;
