//! The demo in a Kubernetes that it raises.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cluster::{Cluster, ClusterSpec, Tools};
use fabric_on_kubernetes::{Fabric, FabricSpec, Images};
use testbed::{Binaries, Definition};
use tokio::runtime::Runtime;

use xtask::demo::{
    Call, Demo, LABEL, ORGANISATION, Package, approve, commit_and_call, install, make,
    print_exports,
};
use xtask::dist;
use xtask::steps::{DIM, Steps};

/// The namespace of all of it.
const NAMESPACE: &str = "demo";

/// The same source under another label: another package, the same image.
const OTHER_LABEL: &str = "demo_1.1";

/// Two steps that the table at the end tells of.
const COLD: &str = "install, image built in a Job";
const KNOWN: &str = "install, image known";

/// What the demo raised. Ends when dropped, the network before the cluster.
struct Raised {
    fabric: Fabric,
    cluster: Cluster,
    binaries: Binaries,
    dist: PathBuf,
    runtime: Runtime,
}

/// What the demo is about.
struct Times {
    cold: Duration,
    known: Duration,
    first_answer: Duration,
}

pub(crate) fn run(demo: &Demo, calls: &[Call]) -> Result<()> {
    let definition = demo.definition()?;
    let mut steps = Steps::begin();
    let raised = raise(&mut steps, demo)?;
    let result = deploy_and_call(&mut steps, &raised, &definition, &demo.source(), calls);
    steps.print_table();
    match &result {
        Ok((_, times)) => {
            times.print();
            println!("\n{}", raised.fabric.placement()?);
        }
        Err(_) => raised.print_reason(),
    }
    if demo.keep {
        raised.keep()?;
    }
    let (last, _) = result?;
    anstream::println!("\n{last}");
    Ok(())
}

fn raise(steps: &mut Steps, demo: &Demo) -> Result<Raised> {
    // First: without root there is nothing to build for.
    let tools = steps.take("programs of Kubernetes", |report| Ok(Tools::obtain(report)?))?;
    let dist = steps.take_aloud("build Selvedge", dist::build_for_demo)?;
    let release = demo.fabric;
    let binaries = steps.take(&format!("obtain Fabric {release}"), |progress| {
        Ok(Binaries::obtain(release, progress)?)
    })?;
    let runtime = Runtime::new().context("cannot start the runtime")?;
    let cluster = steps.take("start a cluster of two nodes", |_| {
        Ok(runtime.block_on(Cluster::start(&tools, ClusterSpec::default()))?)
    })?;
    let images = steps.take("make the images of peer and launcher", |_| {
        Ok(Images::make(&cluster, &binaries, &dist)?)
    })?;
    let fabric = steps.take("start orderer, peer pod and channel", |_| {
        let spec = FabricSpec::new(NAMESPACE, &[ORGANISATION]);
        Ok(runtime.block_on(Fabric::raise(&cluster, &images, &binaries, &spec))?)
    })?;
    Ok(Raised { fabric, cluster, binaries, dist, runtime })
}

/// Returns the last call's output.
fn deploy_and_call(
    steps: &mut Steps,
    raised: &Raised,
    definition: &Definition,
    source: &Path,
    calls: &[Call],
) -> Result<(String, Times)> {
    let peer = raised.fabric.peer(ORGANISATION);
    let dir = raised.fabric.network().dir();
    let mut installed = |label, step| {
        let package = Package { dir, label, step };
        install(steps, peer, &raised.dist, source, &package)
    };
    let package_id = installed(LABEL, COLD)?;
    installed(OTHER_LABEL, KNOWN)?;
    approve(steps, peer, &package_id, definition)?;
    let (first, rest) = calls.split_first().context("no calls")?;
    let begun = Instant::now();
    let mut last = commit_and_call(steps, peer, definition, std::slice::from_ref(first))?;
    let first_answer = begun.elapsed();
    for call in rest {
        last = make(steps, peer, call)?;
    }
    let time = |title| steps.time(title).unwrap_or_default();
    Ok((last, Times { cold: time(COLD), known: time(KNOWN), first_answer }))
}

impl Times {
    fn print(&self) {
        println!();
        let rows = [
            ("install to image, cold", self.cold),
            ("install to image, known", self.known),
            ("commit to first answer", self.first_answer),
        ];
        for (what, time) in rows {
            println!("{what:24} {:7.2} s", time.as_secs_f64());
        }
    }
}

impl Raised {
    /// What the builders told the peer, where a client is told no more than "exit status 1".
    fn print_reason(&self) {
        let peer = self.fabric.peer(ORGANISATION);
        let log = self.runtime.block_on(peer.log("peer")).unwrap_or_else(|error| error);
        let lines: Vec<&str> =
            log.lines().filter(|line| line.contains("[chaincode.externalbuilder")).collect();
        if !lines.is_empty() {
            let last = &lines[lines.len().saturating_sub(20)..];
            anstream::eprintln!("\n{DIM}-- in the peer's log:\n{}{DIM:#}\n", last.join("\n"));
        }
    }

    /// Leaves everything up and says how to talk to it and how to end it.
    fn keep(self) -> Result<()> {
        let peer = self.fabric.peer(ORGANISATION);
        print_exports(self.binaries.dir(), peer, self.fabric.network().channel());
        let kubectl = self.cluster.tools().program("kubectl");
        println!("\nTo watch it:\n");
        println!("export KUBECONFIG='{}'", self.cluster.kubeconfig().display());
        println!("{} -n {NAMESPACE} get deployments,pods -o wide", kubectl.display());
        println!("{} -n {NAMESPACE} logs -f {} -c launcher", kubectl.display(), peer.pod());
        let orderer = self.fabric.keep();
        self.cluster.keep()?;
        println!("\nTo end it and remove all of it:\n\nkill {orderer}; cargo xtask cluster down");
        Ok(())
    }
}
