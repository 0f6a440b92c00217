//! The buildpack as its callers see it: real files, a real Go toolchain, hostile archives.

mod chaincode;
mod collection;
mod golang;
mod images;
mod java;
mod named_images;
mod node;
mod packages;
mod proxied;
mod sources;
mod tampering;
