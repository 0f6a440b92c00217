//! What is the first process beside a chaincode, or beside whatever else nobody vouches for.
//!
//! In a pod it is that of the chaincode's container (`keep.rs`): it starts the chaincode, starts it
//! again in milliseconds where the kubelet would let it wait, tells of each end, and hands on what it
//! is asked, an end not before the transactions in flight have had their time (`ending.rs`). Its launcher
//! may have it kill chaincode that hangs (`line.rs`), which is started again then; in function mode it
//! starts the chaincode only when its launcher wants it to. On the launcher's own machine it is the
//! parent of one program (`guard.rs`), and tells the launcher how that ended. In both places nothing is
//! left of a program that has ended.
//!
//! It is trusted no more than what it starts, whose user it shares; it has no credential and no word in
//! what becomes of a transaction, and of the network it knows whether the proxy can be reached, and what
//! its launcher wants.

pub mod connection;
pub mod ending;
pub mod guard;
mod keep;
pub mod line;
mod memory;
pub mod order;
pub mod process_tree;
mod program;
pub mod report;
mod restarts;
pub mod terms;
mod ward;
mod way;

pub use program::Program;
pub use way::Way;
