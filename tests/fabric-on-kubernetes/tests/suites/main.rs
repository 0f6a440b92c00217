//! The cluster suites: a real peer in a pod of a real Kubernetes, its launcher beside it, and what
//! a user sees of its chaincode.
//!
//! All tests share one cluster and its registry; each has a namespace, an orderer and peers of its
//! own.

mod abandoned;
mod absence;
mod admission;
mod binary;
mod builds;
mod cgo;
mod chart;
mod confinement;
mod controllers;
mod dependencies;
mod draining;
mod edits;
mod elsewhere;
mod examined;
mod functions;
mod go_modules;
mod gopath;
mod granted;
mod guarded;
mod handover;
mod holdings;
mod images;
mod installed;
mod java;
mod labels;
mod launchers;
mod limits;
mod lines;
mod listening;
mod living;
mod manifests;
mod maven;
mod named;
mod node;
mod own_registry;
mod patience;
mod placement;
mod private;
mod reasons;
mod recovery;
mod registries;
mod rendered;
mod repair;
mod scaling;
mod scanned;
mod served;
mod shared;
mod starting;
mod stopped;
mod toolchain;
mod twins;
