//! What the end-to-end suites share: a stage with a real peer and Selvedge's own
//! binaries, and a client that calls chaincode through the peer's gateway.

mod gateway;
mod stage;

pub use gateway::{Gateway, LoadReport, Op};
pub use stage::{Stage, StageSpec, chaincode_dir};
