//! What the end-to-end suites share: a stage with a real peer and Selvedge's own
//! binaries, and a client that calls chaincode through the peer's gateway.

mod deaths;
mod gateway;
mod greeting;
mod load;
mod packages;
mod processes;
mod server;
mod shared;
mod stage;

pub use deaths::{RangeReader, Toll};
pub use gateway::{Gateway, LoadError, LoadReport, Op, Pending, Verdict};
pub use greeting::greeting;
pub use load::Load;
pub use packages::{make_jar, package, package_by_hand, package_by_peer};
pub use processes::{Process, Remains, chaincode_processes, processes_of, run_processes};
pub use server::ChaincodeServer;
pub use shared::{SharedStage, Turn};
pub use stage::{Stage, StageSpec, build_dir, chaincode_dir};
