//! The demo as processes of this machine.

use std::path::{Path, PathBuf};

use anyhow::Result;
use testbed::{
    Binaries, Definition, ExternalBuilder, Launcher, LauncherSpec, Network, NetworkSpec, PeerSpec,
    Release,
};

use xtask::demo::{
    Call, Demo, LABEL, ORGANISATION, Package, approve, commit_and_call, install, print_exports,
};
use xtask::dist;
use xtask::steps::{DIM, Steps};

/// What the demo raised. Ends when dropped.
struct Raised {
    launcher: Launcher,
    network: Network,
    binaries: Binaries,
    dist: PathBuf,
}

pub(crate) fn run(demo: &Demo, calls: &[Call]) -> Result<()> {
    let definition = demo.definition()?;
    let mut steps = Steps::begin();
    let raised = raise(&mut steps, demo.fabric)?;
    let result = deploy_and_call(&mut steps, &raised, &definition, &demo.source(), calls);
    if result.is_err() {
        let log = raised.launcher.log();
        anstream::eprintln!("{DIM}-- {}:\n{}{DIM:#}", log.path().display(), log.tail());
    }
    steps.print_table();
    if demo.keep {
        raised.keep();
    }
    anstream::println!("\n{}", result?);
    Ok(())
}

fn raise(steps: &mut Steps, release: Release) -> Result<Raised> {
    let dist = steps.take_aloud("build Selvedge", dist::build_for_demo)?;
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
    Ok(Raised { launcher, network, binaries, dist })
}

fn deploy_and_call(
    steps: &mut Steps,
    raised: &Raised,
    definition: &Definition,
    source: &Path,
    calls: &[Call],
) -> Result<String> {
    let peer = raised.network.peer(ORGANISATION);
    let package = Package { dir: raised.network.dir(), label: LABEL, step: "install" };
    let package_id = install(steps, peer, &raised.dist, source, &package)?;
    approve(steps, peer, &package_id, definition)?;
    commit_and_call(steps, peer, definition, calls)
}

impl Raised {
    /// Leaves everything up and says how to talk to it and how to end it.
    fn keep(self) {
        let peer = self.network.peer(ORGANISATION);
        print_exports(self.binaries.dir(), peer, self.network.channel());
        let logs = [peer.log(), self.network.orderer().log(), self.launcher.log()]
            .map(|log| log.path().display().to_string())
            .join(" ");
        println!("\nTo watch it:\n\ntail -F {logs}");
        let (network, launcher) = (self.network.keep(), self.launcher.keep());
        println!("\nTo end it and remove all of it:\n\nkill {network} {launcher}");
    }
}
