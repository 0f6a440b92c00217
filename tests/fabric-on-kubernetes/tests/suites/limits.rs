//! A build that meets a limit says which.

use fabric_on_kubernetes::{Fabric, PeerPod};
use serde_json::json;

use crate::shared::{BUILDER, LIMIT, MSP_ID, new_program, new_source, on_fabric, one, package};

/// The install fails with these words.
async fn refused(peer: &PeerPod, file: &std::path::Path, parts: &[&str]) {
    peer.install(file).unwrap_err();
    peer.await_line("peer", &[&[BUILDER], parts].concat(), LIMIT).await.unwrap();
}

fn program(fabric: &Fabric, name: &str) -> std::path::PathBuf {
    package(fabric, &new_program(fabric, name), &format!("{name}_1.0"))
}

#[test]
fn one_that_needs_too_much_memory_too_much_time_or_too_many_processors() {
    let spec = one("build-limits")
        .say("builds.resources.requests.memory", json!("48Mi"))
        .say("builds.resources.limits.memory", json!("48Mi"));
    on_fabric(&spec, async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let memory = ["the build met its memory limit of 48Mi (builds.resources)"];
        refused(peer, &program(fabric, "memory"), &memory).await;

        peer.say("builds.timeout", json!("4s")).await.unwrap();
        peer.say("builds.resources.requests.cpu", json!("900")).await.unwrap();
        let time = ["the build was ended: it took longer than 4 s (builds.timeout)"];
        refused(peer, &program(fabric, "time"), &time).await;
        let node = ["the build's pod waits for a node", "Insufficient cpu"];
        peer.await_line("peer", &node, LIMIT).await.unwrap();
    });
}

#[test]
fn one_that_needs_too_much_disk() {
    let spec = one("build-disk").say("builds.disk", json!("8Mi"));
    on_fabric(&spec, async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let file = package(fabric, &new_source(fabric, "build-disk"), "ledger_1.0");
        let disk = ["the build met its disk limit of 8Mi (builds.disk)", "exceeds"];
        refused(peer, &file, &disk).await;
    });
}
