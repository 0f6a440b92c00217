//! `cargo xtask demo`: the main job, end to end, on a real peer.

mod calls;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::{ArgGroup, ArgMatches, Args};
use testbed::dist::workspace_dir;
use testbed::{
    Binaries, Definition, ExternalBuilder, Launcher, LauncherSpec, Network, NetworkSpec, Peer,
    PeerSpec, Release,
};

use crate::cargo::output;
use crate::dist;
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

Needs Rust, Go and a C compiler; no Docker, no Kubernetes, no root."#)]
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
    /// Leaves the network up, and says how to talk to it and how to end it
    #[arg(long)]
    keep: bool,
}

/// What the demo raised. Ends when dropped.
struct Raised {
    launcher: Launcher,
    network: Network,
    binaries: Binaries,
}

impl Demo {
    /// `typed` is what clap made of this command's arguments: it knows their order.
    pub(crate) fn run(&self, typed: &ArgMatches) -> Result<()> {
        let default = workspace_dir().join("tests/chaincode/ledger");
        let chaincode = self.chaincode.as_deref().unwrap_or(&default);
        let calls = calls::in_order(typed);
        let mut steps = Steps::begin();
        let (raised, dist) = raise(&mut steps, self.fabric)?;
        let result = deploy_and_call(&mut steps, &raised, &dist, chaincode, &calls);
        if result.is_err() {
            let log = raised.launcher.log();
            anstream::eprintln!("{DIM}-- {}:\n{}{DIM:#}", log.path().display(), log.tail());
        }
        steps.print_table();
        if self.keep {
            raised.keep();
        }
        anstream::println!("\n{}", result?);
        Ok(())
    }
}

fn raise(steps: &mut Steps, release: Release) -> Result<(Raised, PathBuf)> {
    let dist = steps.take_aloud("build Selvedge", dist::build)?;
    let binaries = steps.take(&format!("obtain Fabric {release}"), |progress| {
        Ok(Binaries::obtain(release, progress)?)
    })?;
    let launcher = steps.take("start the launcher", |_| {
        Ok(Launcher::start(&LauncherSpec::new(dist.join("bin/selvedge-launcher")))?)
    })?;
    let network = steps.take("start orderer, peer and channel", |_| {
        let mut peer = PeerSpec::new(ORGANISATION, ExternalBuilder::selvedge(&dist));
        peer.environment.insert("SELVEDGE_LAUNCHER".to_owned(), launcher.address().into());
        Ok(Network::start(&binaries, &NetworkSpec::new(vec![peer]))?)
    })?;
    Ok((Raised { launcher, network, binaries }, dist))
}

/// Returns the last call's output.
fn deploy_and_call(
    steps: &mut Steps,
    raised: &Raised,
    dist: &Path,
    chaincode: &Path,
    calls: &[Call],
) -> Result<String> {
    let peer = raised.network.peer(ORGANISATION);
    let package = raised.network.dir().join(format!("{LABEL}.tar.gz"));
    steps.take("package", |_| {
        let mut selvedge = Command::new(dist.join("bin/selvedge"));
        selvedge.arg("package").arg(chaincode).args(["--label", LABEL]);
        output(selvedge.arg("-o").arg(&package))
    })?;
    let package_id = steps.take("install", |_| Ok(peer.install(&package)?))?;
    anstream::println!("  {DIM}{package_id}{DIM:#}");
    let definition = Definition::new(CHAINCODE);
    steps.take("approve", |_| Ok(peer.approve(&package_id, &definition)?))?;
    steps.take("commit", |_| Ok(peer.commit(&definition)?))?;
    let mut last = String::new();
    for call in calls {
        last = steps.take(&call.to_string(), |_| make(peer, call))?;
        if !last.is_empty() {
            anstream::println!("  {last}");
        }
    }
    Ok(last)
}

fn make(peer: &Peer, call: &Call) -> Result<String> {
    let output = match call {
        Call::Submit(ctor) => peer.invoke(CHAINCODE, ctor),
        Call::Query(ctor) => peer.query(CHAINCODE, ctor),
    };
    output.context("the peer refused")
}

impl Raised {
    /// Leaves everything up and says how to talk to it and how to end it.
    fn keep(self) {
        let peer = self.network.peer(ORGANISATION);
        let mut exports = String::new();
        for (name, value) in peer.cli_environment() {
            // Writing to a string does not fail.
            let _ = writeln!(exports, "export {name}='{value}'");
        }
        let bin = self.binaries.dir().display();
        let channel = self.network.channel().to_owned();
        let logs = [peer.log(), self.network.orderer().log(), self.launcher.log()]
            .map(|log| log.path().display().to_string())
            .join(" ");
        println!("\nThe network is up. To talk to it:\n");
        print!("export PATH='{bin}':\"$PATH\"\n{exports}");
        println!("peer chaincode query -C {channel} -n {CHAINCODE} -c '{{\"Args\":[…]}}'");
        println!("\nTo watch it:\n\ntail -F {logs}");
        let (network, launcher) = (self.network.keep(), self.launcher.keep());
        println!("\nTo end it and remove all of it:\n\nkill {network} {launcher}");
    }
}
