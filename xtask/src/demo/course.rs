//! What the demo does, wherever the peer runs.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use testbed::{CallOptions, Definition, PeerClient};

use super::calls::{Call, Kind};
use crate::cargo::output;
use crate::steps::{DIM, Steps};

/// The MSP ID of the one organisation.
pub const ORGANISATION: &str = "Org1MSP";
pub(super) const CHAINCODE: &str = "demo";
/// What the package is called.
pub const LABEL: &str = "demo_1.0";

/// Packages the chaincode under a label, and installs the package; its ID.
pub fn install(
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
pub struct Package<'a> {
    /// Where it is written.
    pub dir: &'a Path,
    /// What it is called.
    pub label: &'a str,
    /// What its install is called in the table.
    pub step: &'a str,
}

/// Approves the definition.
pub fn approve(
    steps: &mut Steps,
    peer: &PeerClient,
    package_id: &str,
    definition: &Definition,
) -> Result<()> {
    steps.take("approve", |_| Ok(peer.approve(package_id, definition)?))
}

/// Commits the definition and makes the calls; returns the last call's output.
pub fn commit_and_call(
    steps: &mut Steps,
    peer: &PeerClient,
    definition: &Definition,
    calls: &[Call],
) -> Result<String> {
    steps.take("commit", |_| Ok(peer.commit(definition)?))?;
    let mut last = String::new();
    for call in calls {
        last = make(steps, peer, call)?;
    }
    Ok(last)
}

/// Makes a call; its output, which is printed.
pub fn make(steps: &mut Steps, peer: &PeerClient, call: &Call) -> Result<String> {
    let answer = steps.take(&call.to_string(), |_| {
        let Call { kind, ctor, transient } = call;
        let output = match kind {
            Kind::Init | Kind::Submit => {
                let is_init = *kind == Kind::Init;
                let transient = transient.clone();
                let options = CallOptions { is_init, transient, ..CallOptions::default() };
                peer.invoke_with(CHAINCODE, ctor, &options)
            }
            Kind::Query => peer.query_with(CHAINCODE, ctor, transient.as_deref()),
        };
        output.context("the peer refused")
    })?;
    if !answer.is_empty() {
        anstream::println!("  {answer}");
    }
    Ok(answer)
}

/// How a person's shell talks to the peer.
pub fn print_exports(binaries: &Path, peer: &PeerClient, channel: &str) {
    println!("\nThe network is up. To talk to it:\n");
    println!("export PATH='{}':\"$PATH\"", binaries.display());
    for (name, value) in peer.cli_environment() {
        println!("export {name}='{value}'");
    }
    println!("peer chaincode query -C {channel} -n {CHAINCODE} -c '{{\"Args\":[…]}}'");
}
