//! Servers of the cluster go away for a while: nothing is lost, the link to the peer stays.

use std::time::Duration;
use std::{fs, thread};

use cluster::Cluster;
use e2e::Op;
use rustix::process::{Pid, Signal, kill_process};
use testbed::PeerClient;
use tokio::time::sleep;

use crate::builds::await_build;
use crate::shared::{MSP_ID, deploy_ledger, gateway, new_program, on_fabric_alone, one, package};

/// How long it is away: the time is what is tested.
const AWAY: Duration = Duration::from_secs(30);

/// A cluster's API server that hangs, as behind a network that swallows packets. It goes on when
/// this is dropped.
struct Absent(Pid);

impl Absent {
    fn begin(cluster: &Cluster) -> Self {
        let of_cluster = cluster.dir().to_string_lossy().into_owned();
        let found = fs::read_dir("/proc").unwrap().find_map(|entry| {
            let dir = entry.ok()?.path();
            let line = fs::read(dir.join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line);
            let program = line.split('\0').next()?;
            if !program.ends_with("/kube-apiserver") || !line.contains(&of_cluster) {
                return None;
            }
            Pid::from_raw(dir.file_name()?.to_str()?.parse().ok()?)
        });
        let pid = found.expect("the API server runs on this machine");
        kill_process(pid, Signal::STOP).unwrap();
        Self(pid)
    }
}

impl Drop for Absent {
    fn drop(&mut self) {
        // Ended with its cluster is as good.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

#[test]
fn a_build_and_a_run_outlive_the_api_servers_absence() {
    on_fabric_alone(&one("absence"), async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let package_id = deploy_ledger(fabric, "ledger");
        let mut gateway = gateway(fabric, peer, "ledger");
        gateway.call(Op::Submit, &["Put", "k", "before"]).unwrap();
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let (pod, _) = chaincode.await_running().await.unwrap();
        let file = package(fabric, &new_program(fabric, "absence"), "absence_1.0");
        let client = PeerClient::clone(peer);
        let install = thread::spawn(move || client.install(&file));
        await_build(fabric).await;

        let absent = Absent::begin(cluster);
        gateway.call(Op::Submit, &["Put", "k", "meanwhile"]).unwrap();
        sleep(AWAY).await;
        assert_eq!(gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "meanwhile");
        drop(absent);

        install.join().unwrap().unwrap_or_else(|error| panic!("{error}"));
        // The launcher sees again what happens, and does what it should.
        let delete = ["delete", "pod", &pod, "--force", "--grace-period=0"];
        fabric.namespace().kubectl(&delete).unwrap();
        assert_ne!(chaincode.await_running().await.unwrap().0, pod);
        assert_eq!(gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "meanwhile");
        let log = peer.log("launcher").await.unwrap();
        assert_eq!(log.matches("the peer takes the chaincode as ready").count(), 1, "{log}");
    });
}

#[test]
fn a_run_outlives_containerds_restart() {
    on_fabric_alone(&one("containerd"), async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let package_id = deploy_ledger(fabric, "ledger");
        let mut gateway = gateway(fabric, peer, "ledger");
        gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let (pod, node) = chaincode.await_running().await.unwrap();

        let node = cluster.nodes().iter().find(|other| other.name() == node).unwrap();
        node.restart_containerd().unwrap();
        assert_eq!(gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
        let delete = ["delete", "pod", &pod, "--force", "--grace-period=0"];
        fabric.namespace().kubectl(&delete).unwrap();
        assert_ne!(chaincode.await_running().await.unwrap().0, pod);
        assert_eq!(gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v");
    });
}
