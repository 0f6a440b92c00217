//! Chaincode packages, how the code in them is built, and the images that come of it.
//!
//! The library knows neither the peer nor Kubernetes, starts no process and opens no connection.
//! What it reads comes from people nobody has vetted: every size, count and path is bounded
//! before anything is written.

#[cfg(test)]
mod against_go;
pub mod archive;
pub mod attestation;
pub mod binary;
pub mod content;
pub mod digest;
pub mod golang;
pub mod image;
pub mod java;
pub mod language;
pub mod named_image;
pub mod node;
pub mod package;
pub mod platform;
pub mod recipe;
pub mod shim;
pub mod source;
