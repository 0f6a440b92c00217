//! What can be said of the demo on the command line.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{ArgGroup, Args};
use testbed::dist::workspace_dir;
use testbed::{Definition, Release};

use super::calls;
use super::course::CHAINCODE;

/// Raises a real Fabric network, installs a chaincode through Selvedge, and calls it.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("calls").args(["init", "call", "query"]).multiple(true))]
#[command(after_help = r#"Examples:
  cargo xtask demo
      our own ledger chaincode on Fabric v3.1.1: writes a value and reads it back
  cargo xtask demo --fabric 2.5
      the same on v2.5.0
  cargo xtask demo --chaincode ~/asset --call '{"Args":["Create","a","7"]}' --query '{"Args":["Read","a"]}'
      your own; calls and queries are made in the order in which they stand here
  cargo xtask demo --chaincode ~/private --collections ~/private/collections.json
      --call '{"Args":["Create"]}' --transient '{"asset":"eyJpZCI6ImEifQ=="}' --query '{"Args":["Read","a"]}'
      with private data

  cargo xtask demo --kubernetes
      all of it in a two-node Kubernetes that it raises: the peer and its launcher in a pod, the
      build in a Job, the image in a registry, the chaincode a Deployment on the peer's node

Needs Rust, Go and a C compiler; no Docker. With --kubernetes: root, and Debian's packages, which
it installs; Kubernetes is built from Go modules, once."#)]
pub struct Demo {
    /// The Fabric release
    #[arg(long, value_name = "3.1|2.5", default_value = "3.1")]
    pub fabric: Release,
    /// A directory with a chaincode's sources [default: tests/chaincode/ledger]
    #[arg(long, value_name = "DIR", requires = "calls")]
    pub chaincode: Option<PathBuf>,
    /// A file with private data collections, as for the peer CLI
    #[arg(long, value_name = "FILE")]
    pub collections: Option<PathBuf>,
    /// Requires an init of the chaincode, and makes it before all other calls
    #[arg(long, value_name = "JSON", value_parser = calls::ctor)]
    pub init: Option<String>,
    /// Submits a transaction, written as for the peer CLI (repeatable)
    #[arg(long, value_name = "JSON", value_parser = calls::ctor)]
    pub call: Vec<String>,
    /// Evaluates a call without a transaction, in the same form (repeatable)
    #[arg(long, value_name = "JSON", value_parser = calls::ctor)]
    pub query: Vec<String>,
    /// Private input of the call before it: an object of values in base64, as for the peer CLI
    #[arg(long, value_name = "JSON", value_parser = calls::transient)]
    pub transient: Vec<String>,
    /// Runs peer, builds and chaincode in a real two-node Kubernetes (needs root)
    #[arg(long)]
    pub kubernetes: bool,
    /// Leaves the network up, and says how to talk to it and how to end it
    #[arg(long)]
    pub keep: bool,
}

impl Demo {
    /// What is approved and committed.
    pub fn definition(&self) -> Result<Definition> {
        let absolute = |file: &PathBuf| {
            file.canonicalize().with_context(|| format!("cannot read {}", file.display()))
        };
        Ok(Definition {
            init_required: self.init.is_some(),
            // The peer CLI runs somewhere else.
            collections_config: self.collections.as_ref().map(absolute).transpose()?,
            ..Definition::new(CHAINCODE)
        })
    }

    /// The chaincode's sources.
    pub fn source(&self) -> PathBuf {
        self.chaincode.clone().unwrap_or_else(|| workspace_dir().join("tests/chaincode/ledger"))
    }
}
