//! The messages of a chaincode's stream and the launcher's own API.
//!
//! The code under `generated/` is made from `protos/` by
//! `cargo test -p selvedge-proto`, which fails when it was stale.

/// The chaincode stream between peer and chaincode (Fabric v3.1.1).
#[rustfmt::skip]
#[path = "generated/protos.rs"]
#[allow(clippy::all, clippy::pedantic, missing_docs, reason = "generated")]
pub mod fabric;

/// The API of the launcher.
#[rustfmt::skip]
#[path = "generated/selvedge.launcher.v1.rs"]
#[allow(clippy::all, clippy::pedantic, missing_docs, reason = "generated")]
pub mod launcher;
