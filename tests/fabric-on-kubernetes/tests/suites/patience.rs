//! What keeps a build from running and passes by itself fails no install; the installer is told.

use std::thread;

use cluster::Cluster;
use fabric_on_kubernetes::{Fabric, FabricSpec, PeerPod};
use serde_json::{Value, json};
use testbed::{CliError, PeerClient};

use crate::registries::{SECRET, credentials_for};
use crate::shared::{
    BUILDER, LIMIT, MSP_ID, allow_no_more_pods, new_program, on_fabric, on_fabric_of, one, package,
};

type Install = thread::JoinHandle<Result<String, CliError>>;

fn install(fabric: &Fabric, peer: &PeerPod, name: &str) -> Install {
    let file = package(fabric, &new_program(fabric, name), &format!("{name}_1.0"));
    let client = PeerClient::clone(peer);
    thread::spawn(move || client.install(&file))
}

#[test]
fn a_build_waits_for_room_in_its_namespaces_quota() {
    on_fabric(&one("build-quota"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        allow_no_more_pods(fabric).await;
        let install = install(fabric, peer, "build-quota");
        let parts = [BUILDER, "gets no pod", "exceeded quota: few", "waiting for room"];
        peer.await_line("peer", &parts, LIMIT).await.unwrap();
        assert!(!install.is_finished(), "it did not wait");
        fabric.namespace().kubectl(&["delete", "resourcequota", "few"]).unwrap();
        install.join().unwrap().unwrap_or_else(|error| panic!("{error}"));
    });
}

/// Credentials for both of the cluster's registries, one of which asks for them.
fn credentials(cluster: &Cluster, password: &str) -> Value {
    let guarded = cluster.guarded_registry();
    credentials_for(&[&guarded.address, &cluster.registry()], guarded.user, password)
}

#[test]
fn a_compiler_that_cannot_be_pulled_for_a_while_fails_no_build() {
    let spec = |cluster: &Cluster| -> FabricSpec {
        let toolchain = cluster.image("toolchain");
        let toolchain = toolchain.replace(&cluster.registry(), &cluster.guarded_registry().address);
        let mut spec = one("build-pull")
            .say("builds.toolchains.go.image", json!(toolchain))
            .say("registry.secret", json!(SECRET));
        spec.before = vec![credentials(cluster, "wrong")];
        spec
    };
    on_fabric_of(spec, async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let install = install(fabric, peer, "build-pull");
        let parts = [BUILDER, "cannot start: ErrImagePull", "trying again"];
        peer.await_line("peer", &parts, LIMIT).await.unwrap();
        assert!(!install.is_finished(), "it was not tried again");
        let right = credentials(cluster, cluster.guarded_registry().password);
        fabric.namespace().apply(&right).unwrap();
        install.join().unwrap().unwrap_or_else(|error| panic!("{error}"));
    });
}
