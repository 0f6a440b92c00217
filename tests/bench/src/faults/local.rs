//! The faults of one machine: chaincode, launcher and peer are processes of it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Op, Process, Stage, StageSpec, chaincode_dir, processes_of};
use serde_json::json;
use testbed::{Definition, PeerSpec, Release};

use super::launcher_log::run_again;
use super::notice::Row;
use super::watch::Callers;

/// The chaincode with one replica, the one with two, and the neighbour of both.
const ONE: &str = "one";
const TWO: &str = "two";
const NEIGHBOUR: &str = "neighbour";

/// A fault of a machine.
struct Case {
    name: &'static str,
    victim: &'static str,
    /// For how long callers are watched after it.
    after: Duration,
    fault: fn(&Scene) -> Result<()>,
}

const CASES: [Case; 8] = [
    Case::short("nothing", ONE, |_| Ok(())),
    Case::short("replica killed, of one", ONE, |scene| scene.with_replica(ONE, Process::kill)),
    Case::short("replica killed, of two", TWO, |scene| scene.with_replica(TWO, Process::kill)),
    Case::long("replica stopped, of one", ONE, |scene| scene.with_replica(ONE, Process::stop)),
    Case::long("replica stopped, of two", TWO, |scene| scene.with_replica(TWO, Process::stop)),
    Case::short("launcher's socket removed", ONE, Scene::remove_socket),
    Case::long("launcher killed, started again", ONE, Scene::lose_launcher),
    Case::long("peer killed, started again", ONE, Scene::lose_peer),
];

impl Case {
    const fn short(
        name: &'static str,
        victim: &'static str,
        fault: fn(&Scene) -> Result<()>,
    ) -> Self {
        Self { name, victim, after: Duration::from_secs(4), fault }
    }

    /// One of which it takes long until it is noticed, or mended.
    const fn long(
        name: &'static str,
        victim: &'static str,
        fault: fn(&Scene) -> Result<()>,
    ) -> Self {
        Self { name, victim, after: Duration::from_secs(20), fault }
    }
}

struct Scene {
    stage: Stage,
    /// The package IDs of the two that suffer.
    one: String,
    two: String,
}

/// Has each fault happen whose name is wanted.
pub(crate) fn run(is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Row>> {
    let cases: Vec<&Case> = CASES.iter().filter(|case| is_wanted(case.name)).collect();
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    eprintln!("raising the network");
    let scene = Scene::raise();
    let mut rows = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        eprintln!("{} of {}: {}", number + 1, cases.len(), case.name);
        let callers = Callers {
            connect: &|chaincode| scene.stage.gateway(chaincode),
            victim: case.victim,
            neighbour: NEIGHBOUR,
        };
        let fault = || (case.fault)(&scene);
        let prefix = format!("fault-{number}-");
        let notice = callers.watch(&prefix, case.after, fault, || scene.replayed());
        let notice = notice.with_context(|| case.name)?;
        rows.push(Row { fault: case.name, notice });
    }
    Ok(rows)
}

impl Scene {
    fn raise() -> Self {
        let two = json!([{"match": {"label": "two_*"}, "chaincode": {"replicas": 2}}]);
        let stage = Stage::raise(&StageSpec {
            settings: vec![("overrides", two)],
            network: |network| network.peers.iter_mut().for_each(PeerSpec::work_side_by_side),
            ..StageSpec::new(Release::V3_1_1)
        });
        let [one, two, _] = [ONE, TWO, NEIGHBOUR].map(|name| {
            let package_id = stage.deploy(&chaincode_dir("ledger"), &Definition::new(name));
            // The first call waits until the peer has started it.
            stage.gateway(name).call(Op::Submit, &["Put", "k", "v"]).expect("it answers");
            package_id
        });
        Self { stage, one, two }
    }

    fn with_replica(&self, name: &str, fault: fn(&Process)) -> Result<()> {
        let package_id = if name == ONE { &self.one } else { &self.two };
        let replicas = processes_of(&self.stage, package_id);
        fault(replicas.first().with_context(|| format!("no replica of {name} runs"))?);
        Ok(())
    }

    fn remove_socket(&self) -> Result<()> {
        let address = self.stage.launcher.address();
        let path = address.strip_prefix("unix://").or_else(|| address.strip_prefix("unix:"));
        let path = path.with_context(|| format!("{address} is no socket"))?;
        fs::remove_file(path).with_context(|| format!("cannot remove {path}"))
    }

    /// As whoever watches over it does.
    fn lose_launcher(&self) -> Result<()> {
        self.stage.launcher.kill();
        Ok(self.stage.launcher.restart()?)
    }

    fn lose_peer(&self) -> Result<()> {
        let peer = self.stage.peer();
        peer.kill();
        ensure!(peer.ended().is_some(), "the peer has outlived SIGKILL");
        Ok(peer.restart()?)
    }

    /// How many transactions were run again so far, as the launcher logs it.
    fn replayed(&self) -> u64 {
        run_again(&self.stage.launcher.log().text())
    }
}
