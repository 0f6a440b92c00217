//! The end-to-end suites: a real peer, the real binaries, and what a user sees of them.
//!
//! A suite raises one stage and its tests take turns on it; suites run side by side.

mod apart;
mod appetite;
mod binary;
mod builds;
mod cases;
mod confined;
mod core;
mod credentials;
mod death;
mod doctor;
mod fabric_chaincode;
mod function;
mod gradle;
mod greed;
mod java;
mod late;
mod launch_time;
mod leavings;
mod ledger;
mod linearizable;
mod link;
mod listening;
mod managers;
mod many;
mod misbehaviour;
mod node;
mod operators_file;
mod outstanding;
mod page;
mod recovery;
mod releases;
mod replay;
mod reproducible;
mod rooted;
mod scaling;
mod seen;
mod served;
mod status;
mod store;
mod told;
mod volume;
