//! The operator's file: how each chaincode is built and run, said in one place outside the package.
//!
//! A leaf: it knows no backend. [`Operator::read`] takes a text or tells every fault of it, each
//! with its place; [`Operator::chaincode`] is what applies to one chaincode, a pure function of the
//! file, the chaincode's label, the organisation's MSP and the peer.

mod allowance;
mod amount;
mod apart;
mod builds;
mod chaincode;
mod check;
mod document;
mod execution;
mod fault;
mod file;
mod local;
mod matching;
mod meaning;
mod mode;
mod operator;
mod origin;
mod overlaying;
mod place;
mod pod_overlay;
mod reference;
mod registry;
mod schema;
mod socket_address;
mod source;
mod span;
mod variant;

pub use allowance::Allowance;
pub use apart::{Apart, is_peer_name};
pub use builds::{
    BuildCache, BuildCredentials, BuildEgress, Builds, CaBundle, Runtime, Runtimes, Toolchain,
    Toolchains,
};
pub use chaincode::{Chaincode, PeerNode, Timeouts};
pub use check::{NAMESPACE, is_namespace};
pub use document::LONGEST;
pub use execution::{Execution, Function, Keep, Mode, ScaledBy, Scaling, Wait};
pub use fault::{Fault, Faults};
pub use file::{ApiVersion, BackendKind, File, Health, Override, Page, USUAL_FILE};
pub use matching::{Match, Subject};
pub use operator::{Operator, Unmatched};
pub use origin::{Origin, Said};
pub use place::Place;
pub use reference::{default_file, reference};
pub use registry::{Registry, Rewrite, Serve};
pub use schema::{schema, schema_of_types};
pub use source::{FileSource, Variable};
pub use span::Span;
pub use variant::Variant;
