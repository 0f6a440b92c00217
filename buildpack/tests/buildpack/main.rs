//! The buildpack as its callers see it: real files, a real Go toolchain, hostile archives.

mod chaincode;
mod golang;
mod images;
mod packages;
mod sources;
mod tampering;
