//! Installs while the launcher is not ready, or has enough to do: they wait, and are told.

use std::fs;
use std::thread;

use cluster::until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use testbed::PeerClient;
use testbed::hanging::hang;

use crate::builds::await_build;
use crate::shared::{
    BUILDER, LIMIT, MSP_ID, new_program, on_fabric, on_fabric_alone, one, package,
};
use fabric_on_kubernetes::processes::{Hanging, all, api_server_of, build_in, launcher_of};

/// Whether a process has a connection of any kind.
fn is_connected(pid: Pid) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()));
    descriptors.into_iter().flatten().filter_map(Result::ok).any(|descriptor| {
        let target = fs::read_link(descriptor.path()).unwrap_or_default();
        target.to_string_lossy().starts_with("socket:")
    })
}

#[test]
fn an_install_beside_a_launcher_that_still_looks_around_waits_for_it() {
    on_fabric_alone(&one("starting"), async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let file = package(fabric, &new_program(fabric, "starting"), "starting_1.0");
        let before = launcher_of(peer);
        let absent = Hanging::begin(api_server_of(cluster));
        kill_process(before, Signal::KILL).unwrap();
        // The kubelet starts it anew without being told.
        until("another launcher", LIMIT, async || {
            let launchers = all(|process| process.is_launcher_of(peer));
            let other = launchers.into_iter().find(|launcher| *launcher != before);
            other.ok_or_else(|| "none".to_owned())
        })
        .await
        .unwrap();
        let client = PeerClient::clone(peer);
        let install = thread::spawn(move || client.install(&file));
        until("a builder that has reached it", LIMIT, async || {
            let builders = all(|process| process.words().next() == Some("/opt/selvedge/bin/build"));
            let reached = builders.iter().any(|builder| is_connected(*builder));
            if reached { Ok(()) } else { Err(format!("{} builders", builders.len())) }
        })
        .await
        .unwrap();
        drop(absent);
        install.join().unwrap().unwrap_or_else(|error| panic!("{error}"));
        let parts = [BUILDER, "the launcher is starting: waiting for it"];
        peer.await_line("peer", &parts, LIMIT).await.unwrap();
    });
}

#[test]
fn more_installs_than_the_launcher_builds_at_once_wait_their_turn() {
    let spec = one("parallel").say("builds.parallel", json!(1));
    on_fabric(&spec, async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let [first, second] = ["parallel-one", "parallel-other"].map(|name| {
            let file = package(fabric, &new_program(fabric, name), &format!("{name}_1.0"));
            let client = PeerClient::clone(peer);
            move || client.install(&file)
        });
        let first = thread::spawn(first);
        let pod = await_build(fabric).await;
        // It goes on for as long as this test wants.
        hang(build_in(&pod)).unwrap();
        let second = thread::spawn(second);
        let parts = [BUILDER, "as much as it may at once (builds.parallel=1)"];
        peer.await_line("peer", &parts, LIMIT).await.unwrap();
        let jobs = fabric.namespace().kubectl(&["get", "jobs", "-o", "name"]).unwrap();
        assert_eq!(jobs.lines().count(), 1, "{jobs}");
        kill_process(build_in(&pod), Signal::CONT).unwrap();
        for install in [first, second] {
            install.join().unwrap().unwrap_or_else(|error| panic!("{error}"));
        }
    });
}
