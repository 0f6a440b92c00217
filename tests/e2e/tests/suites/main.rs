//! The end-to-end suites: a real peer, the real binaries, and what a user sees of them.
//!
//! A suite raises one stage and its tests take turns on it; suites run side by side.

mod builds;
mod core;
mod credentials;
mod death;
mod launch_time;
mod ledger;
mod link;
mod misbehaviour;
mod recovery;
mod reproducible;
mod volume;
