//! `cargo xtask demo`: the main job, end to end, on a real peer.

mod calls;
mod here;
mod kubernetes;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::{ArgGroup, ArgMatches, Args};
use testbed::dist::workspace_dir;
use testbed::{Definition, PeerClient, Release};

use crate::cargo::output;
use crate::steps::{DIM, Steps};
use calls::Call;

const ORGANISATION: &str = "Org1MSP";
const CHAINCODE: &str = "demo";
const LABEL: &str = "demo_1.0";

/// Raises a real Fabric network, installs a chaincode through Selvedge, and calls it.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("calls").args(["call", "query"]).multiple(true))]
#[command(after_help = r#"Examples:
  cargo xtask demo
      our own ledger chaincode on Fabric v3.1.1: writes a value and reads it back
  cargo xtask demo --fabric 2.5
      the same on v2.5.0
  cargo xtask demo --chaincode ~/asset --call '{"Args":["Create","a","7"]}' --query '{"Args":["Read","a"]}'
      your own; calls and queries are made in the order in which they stand here

  cargo xtask demo --kubernetes
      all of it in a two-node Kubernetes that it raises: the peer and its launcher in a pod, the
      build in a Job, the image in a registry, the chaincode a Deployment on the peer's node

Needs Rust, Go and a C compiler; no Docker. With --kubernetes: root, and Debian's packages, which
it installs; Kubernetes is built from Go modules, once."#)]
pub(crate) struct Demo {
    /// The Fabric release
    #[arg(long, value_name = "3.1|2.5", default_value = "3.1")]
    fabric: Release,
    /// A directory with a chaincode's sources [default: tests/chaincode/ledger]
    #[arg(long, value_name = "DIR", requires = "calls")]
    chaincode: Option<PathBuf>,
    /// Submits a transaction, written as for the peer CLI (repeatable)
    #[arg(long, value_name = "JSON", value_parser = calls::ctor)]
    call: Vec<String>,
    /// Evaluates a call without a transaction, in the same form (repeatable)
    #[arg(long, value_name = "JSON", value_parser = calls::ctor)]
    query: Vec<String>,
    /// Runs peer, builds and chaincode in a real two-node Kubernetes (needs root)
    #[arg(long)]
    kubernetes: bool,
    /// Leaves the network up, and says how to talk to it and how to end it
    #[arg(long)]
    keep: bool,
}

impl Demo {
    /// `typed` is what clap made of this command's arguments: it knows their order.
    pub(crate) fn run(&self, typed: &ArgMatches) -> Result<()> {
        let calls = calls::in_order(typed);
        if self.kubernetes { kubernetes::run(self, &calls) } else { here::run(self, &calls) }
    }

    fn source(&self) -> PathBuf {
        self.chaincode.clone().unwrap_or_else(|| workspace_dir().join("tests/chaincode/ledger"))
    }
}

/// Packages the chaincode under a label, and installs the package; its ID.
fn install(
    steps: &mut Steps,
    peer: &PeerClient,
    dist: &Path,
    source: &Path,
    package: &Package<'_>,
) -> Result<String> {
    let file = package.dir.join(format!("{}.tar.gz", package.label));
    steps.take(&format!("package {}", package.label), |_| {
        let mut selvedge = Command::new(dist.join("bin/selvedge"));
        selvedge.arg("package").arg(source).args(["--label", package.label]);
        output(selvedge.arg("-o").arg(&file))
    })?;
    let package_id = steps.take(package.step, |_| Ok(peer.install(&file)?))?;
    anstream::println!("  {DIM}{package_id}{DIM:#}");
    Ok(package_id)
}

/// A package that is to be installed.
struct Package<'a> {
    /// Where it is written.
    dir: &'a Path,
    label: &'a str,
    /// What its install is called in the table.
    step: &'a str,
}

/// Approves the definition.
fn approve(steps: &mut Steps, peer: &PeerClient, package_id: &str) -> Result<()> {
    steps.take("approve", |_| Ok(peer.approve(package_id, &Definition::new(CHAINCODE))?))
}

/// Commits the definition and makes the calls; returns the last call's output.
fn commit_and_call(steps: &mut Steps, peer: &PeerClient, calls: &[Call]) -> Result<String> {
    steps.take("commit", |_| Ok(peer.commit(&Definition::new(CHAINCODE))?))?;
    let mut last = String::new();
    for call in calls {
        last = make(steps, peer, call)?;
    }
    Ok(last)
}

fn make(steps: &mut Steps, peer: &PeerClient, call: &Call) -> Result<String> {
    let answer = steps.take(&call.to_string(), |_| {
        let output = match call {
            Call::Submit(ctor) => peer.invoke(CHAINCODE, ctor),
            Call::Query(ctor) => peer.query(CHAINCODE, ctor),
        };
        output.context("the peer refused")
    })?;
    if !answer.is_empty() {
        anstream::println!("  {answer}");
    }
    Ok(answer)
}

/// How a person's shell talks to the peer.
fn print_exports(binaries: &Path, peer: &PeerClient, channel: &str) {
    println!("\nThe network is up. To talk to it:\n");
    println!("export PATH='{}':\"$PATH\"", binaries.display());
    for (name, value) in peer.cli_environment() {
        println!("export {name}='{value}'");
    }
    println!("peer chaincode query -C {channel} -n {CHAINCODE} -c '{{\"Args\":[…]}}'");
}
