//! The faults of a cluster: pods, nodes, the cluster's own servers, and the network between them.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use cluster::{Cluster, ClusterSpec, Node, Tools, until};
use e2e::{Gateway, Op, chaincode_dir, package};
use fabric_on_kubernetes::processes::{
    Hanging, api_server_of, chaincode_in, keeper_in, kubelet_of, launcher_of, peer_in, registry_of,
};
use fabric_on_kubernetes::{Chaincode, Fabric, FabricSpec, Images, PeerPod};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use testbed::hanging::hang;
use testbed::{Binaries, Definition, Release, dist_dir};
use tokio::runtime::Runtime;

use super::launcher_log::run_again;
use super::notice::Row;
use super::watch::Callers;

const MSP_ID: &str = "Org1MSP";

/// The chaincode with one replica, the one with two, and the neighbour of both.
const ONE: &str = "one";
const TWO: &str = "two";
const NEIGHBOUR: &str = "neighbour";

/// From a fault to pods as before.
const SETTLED: Duration = Duration::from_mins(2);

/// How long what is away for a while is.
const KUBELET: Duration = Duration::from_secs(20);
const API: Duration = Duration::from_secs(30);
const NETWORK: Duration = Duration::from_secs(5);
const REGISTRY: Duration = Duration::from_secs(10);

/// A fault of a cluster.
struct Case {
    name: &'static str,
    victim: &'static str,
    /// For how long callers are watched after it.
    after: Duration,
    fault: fn(&Scene) -> Result<()>,
}

const CASES: [Case; 17] = [
    Case::new("nothing", ONE, 4, |_| Ok(())),
    Case::new("process killed, of one", ONE, 6, |scene| kill(chaincode_in(&scene.pod(ONE)?))),
    Case::new("keeper killed, of one", ONE, 10, |scene| kill(keeper_in(&scene.pod(ONE)?))),
    Case::new("keeper killed, of two", TWO, 10, |scene| kill(keeper_in(&scene.pod(TWO)?))),
    Case::new("pod deleted, of one", ONE, 10, |scene| scene.delete(ONE, &["--wait=false"])),
    Case::new("pod deleted, of two", TWO, 10, |scene| scene.delete(TWO, &["--wait=false"])),
    Case::new("pod force-deleted, of one", ONE, 10, |scene| scene.delete(ONE, &FORCED)),
    Case::new("pod force-deleted, of two", TWO, 10, |scene| scene.delete(TWO, &FORCED)),
    Case::new("node drained, of two", TWO, 10, Scene::drain),
    Case::new("process stopped, of two", TWO, 25, |scene| {
        Ok(hang(chaincode_in(&scene.pod(TWO)?))?)
    }),
    Case::new("kubelet hangs, 20 s", ONE, 10, Scene::lose_kubelet),
    Case::new("containerd restarted", ONE, 6, |scene| Ok(scene.node()?.restart_containerd()?)),
    Case::new("API server hangs, 30 s", ONE, 10, |scene| {
        hang_for(api_server_of(&scene.cluster), API);
        Ok(())
    }),
    Case::new("registry hangs, pod deleted", ONE, 10, Scene::lose_registry),
    Case::new("network cut, 5 s, of one", ONE, 25, |scene| scene.cut(ONE)),
    Case::new("launcher killed", ONE, 20, |scene| kill(launcher_of(scene.peer()))),
    Case::new("peer killed", ONE, 30, |scene| kill(peer_in(scene.peer()))),
];

const FORCED: [&str; 2] = ["--force", "--grace-period=0"];

impl Case {
    const fn new(
        name: &'static str,
        victim: &'static str,
        seconds: u64,
        fault: fn(&Scene) -> Result<()>,
    ) -> Self {
        Self { name, victim, after: Duration::from_secs(seconds), fault }
    }
}

/// A network in a cluster of its own.
struct Scene {
    /// The package IDs of the two that suffer.
    one: String,
    two: String,
    // Dropped in this order.
    fabric: Fabric,
    cluster: Cluster,
    runtime: Runtime,
}

/// Has each fault happen whose name is wanted.
pub(crate) fn run(is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Row>> {
    let cases: Vec<&Case> = CASES.iter().filter(|case| is_wanted(case.name)).collect();
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    eprintln!("raising a cluster with a network in it");
    let scene = Scene::raise()?;
    let mut rows = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        if let Err(error) = scene.settle() {
            // What was noticed until then is worth to be told.
            eprintln!("the rest is left: {error:#}");
            break;
        }
        eprintln!("{} of {}: {}", number + 1, cases.len(), case.name);
        let callers = Callers {
            connect: &|chaincode| scene.gateway(chaincode),
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
    fn raise() -> Result<Self> {
        let runtime = Runtime::new().context("cannot start the runtime")?;
        let mut progress = |line: &str| eprintln!("{line}");
        let tools = Tools::obtain(&mut progress)?;
        let binaries = Binaries::obtain(Release::V3_1_1, &mut progress)?;
        let cluster = runtime.block_on(Cluster::start(&tools, ClusterSpec::default()))?;
        let images = Images::make(&cluster, &binaries, &dist_dir())?;
        // Two that may go elsewhere when their node is drained.
        let two = json!([{
            "match": { "label": "two_*" },
            "chaincode": { "replicas": 2, "peerNode": "preferred" },
        }]);
        let spec = FabricSpec::new("faults", &[MSP_ID]).say("overrides", two);
        let fabric = runtime.block_on(Fabric::raise(&cluster, &images, &binaries, &spec))?;
        let mut scene = Self { one: String::new(), two: String::new(), fabric, cluster, runtime };
        scene.one = scene.deploy(ONE)?;
        scene.two = scene.deploy(TWO)?;
        scene.deploy(NEIGHBOUR)?;
        Ok(scene)
    }

    fn deploy(&self, name: &str) -> Result<String> {
        let file = self.fabric.network().dir().join(format!("{name}.tar.gz"));
        package(&chaincode_dir("ledger"), &format!("{name}_1.0"), &file);
        let deployed = self.fabric.network().deploy(&file, &Definition::new(name));
        let package_id = deployed.with_context(|| self.fabric.namespace().report())?;
        // The first call waits until the peer has started it.
        let answer = self.gateway(name).call(Op::Submit, &["Put", "k", "v"]);
        answer.map_err(|error| anyhow!("{name} does not answer: {error}"))?;
        Ok(package_id)
    }

    fn peer(&self) -> &PeerPod {
        self.fabric.peer(MSP_ID)
    }

    fn gateway(&self, chaincode: &str) -> Gateway {
        let channel = self.fabric.network().channel();
        Gateway::connect(&self.peer().gateway_access(), channel, chaincode)
    }

    fn chaincode(&self, name: &str) -> Result<Chaincode> {
        let package_id = if name == ONE { &self.one } else { &self.two };
        Ok(self.runtime.block_on(self.peer().chaincode(package_id))?)
    }

    /// A pod of the chaincode.
    fn pod(&self, name: &str) -> Result<String> {
        let pods = self.runtime.block_on(self.chaincode(name)?.pods())?;
        let pod = pods.into_iter().next().and_then(|pod| pod.metadata.name);
        pod.with_context(|| format!("no pod of {name}"))
    }

    /// Returns when all pods are there that are wanted, and run.
    fn settle(&self) -> Result<()> {
        for (name, wanted) in [(ONE, 1), (TWO, 2)] {
            let chaincode = self.chaincode(name)?;
            let what = format!("{wanted} pods of {name}");
            self.runtime.block_on(until(&what, SETTLED, async || {
                let pods = chaincode.pods().await.map_err(|error| error.to_string())?;
                let ready = pods.iter().filter(|pod| {
                    let status = pod.status.as_ref();
                    let conditions = status.and_then(|status| status.conditions.as_ref());
                    let mut conditions = conditions.into_iter().flatten();
                    conditions.any(|it| it.type_ == "Ready" && it.status == "True")
                });
                let ready = ready.count();
                if ready == wanted && pods.len() == wanted {
                    Ok(())
                } else {
                    Err(format!("{ready} of {}", pods.len()))
                }
            }))?;
        }
        Ok(())
    }

    fn delete(&self, name: &str, how: &[&str]) -> Result<()> {
        let delete = ["delete", "pod", &self.pod(name)?];
        self.fabric.namespace().kubectl(&[&delete[..], how].concat())?;
        Ok(())
    }

    /// The node of the peer, and of its chaincode.
    fn node(&self) -> Result<&Node> {
        let name = self.runtime.block_on(self.peer().node())?;
        let node = self.cluster.nodes().iter().find(|node| node.name() == name);
        node.with_context(|| format!("no node {name}"))
    }

    /// Evicts all pods of the chaincode with two replicas from the node.
    fn drain(&self) -> Result<()> {
        let node = self.node()?.name();
        let selector =
            format!("--pod-selector=app.kubernetes.io/instance={}", self.chaincode(TWO)?.name());
        let kubectl = self.cluster.kubectl();
        let drain = ["drain", node, &selector, "--delete-emptydir-data", "--force"];
        let drained = kubectl.run(&drain);
        kubectl.run(&["uncordon", node])?;
        drained?;
        Ok(())
    }

    fn lose_kubelet(&self) -> Result<()> {
        hang_for(kubelet_of(&self.cluster, self.node()?), KUBELET);
        Ok(())
    }

    /// A node has the images of what it ran.
    fn lose_registry(&self) -> Result<()> {
        let _hanging = Hanging::begin(registry_of(&self.cluster));
        self.delete(ONE, &["--wait=false"])?;
        sleep(REGISTRY);
        Ok(())
    }

    /// Loses every packet from and to a pod of the chaincode.
    fn cut(&self, name: &str) -> Result<()> {
        let process = chaincode_in(&self.pod(name)?).to_string();
        let rule = |act: &str, chain: &str| {
            let iptables = ["iptables", "-w", act, chain, "!", "-o", "lo", "-j", "DROP"];
            let mut inside = Command::new("nsenter");
            let status = inside.args(["-t", &process, "-n", "--"]).args(iptables).status();
            let status = status.context("cannot run nsenter")?;
            ensure!(status.success(), "iptables in the pod's network: {status}");
            Ok(())
        };
        rule("-I", "OUTPUT")?;
        sleep(NETWORK);
        rule("-D", "OUTPUT")
    }

    /// How many transactions were run again so far, as the launcher logs it.
    fn replayed(&self) -> u64 {
        let log = self.runtime.block_on(self.peer().log("launcher"));
        run_again(&log.unwrap_or_default())
    }
}

fn kill(process: Pid) -> Result<()> {
    kill_process(process, Signal::KILL).context("cannot kill the process")
}

/// Has a process hang for so long.
fn hang_for(process: Pid, time: Duration) {
    let _hanging = Hanging::begin(process);
    sleep(time);
}
