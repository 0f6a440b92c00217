//! What runs chaincode in Kubernetes, as pure functions: no client, no clock, no files.

pub mod allowance;
pub mod baseline;
pub mod overlay;
pub mod path;
