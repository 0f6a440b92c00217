//! Packages of type `k8s`, as fabric-builder-k8s' documentation has them made
//! (`docs/tutorials/package-chaincode.md`): an image that somebody else made runs as it does there.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use cluster::{Cluster, until};
use e2e::Op;
use fabric_on_kubernetes::{Fabric, FabricSpec};
use serde_json::{Value, json};
use testbed::Definition;

use crate::images::{crane, layer, succeeds};
use crate::shared::{
    BUILDER, LIMIT, MSP_ID, deploy_ledger, deploy_package, gateway, on_fabric_of, one,
};

/// What packages call the repository of their images; no registry here has that name.
const NAME: &str = "ghcr.io/hyperledger-labs/asset";

/// A static shell, which the testbed installs.
const BUSYBOX: &str = "/usr/bin/busybox";

fn repository(cluster: &Cluster) -> String {
    format!("{}/theirs/asset", cluster.registry())
}

/// A network whose operator has a mirror of what packages name.
pub(crate) fn mirrored(cluster: &Cluster, namespace: &str) -> FabricSpec {
    let to = format!("{}/theirs", cluster.registry());
    one(namespace)
        .say("registry.rewrites", json!([{ "from": "ghcr.io/hyperledger-labs", "to": to }]))
}

/// Makes an image like fabric-builder-k8s' `samples/go-contract`: the ledger's program, which a
/// shell starts with the address that the environment has. Who may use the shell, `mode` says.
/// Its digest.
fn make(cluster: &Cluster, fabric: &Fabric, built: &str, tag: &str, mode: u32) -> String {
    let start = "exec /usr/local/bin/chaincode -peer.address=$CORE_PEER_ADDRESS";
    make_with(cluster, fabric, built, (tag, start), mode)
}

/// The same with a program that the shell's script starts.
pub(crate) fn make_with(
    cluster: &Cluster,
    fabric: &Fabric,
    built: &str,
    (tag, script): (&str, &str),
    mode: u32,
) -> String {
    let dir = fabric.network().dir().join("images").join(tag);
    let shell = dir.join("root/bin/sh");
    fs::create_dir_all(shell.parent().unwrap()).unwrap();
    fs::copy(BUSYBOX, &shell).unwrap();
    fs::set_permissions(&shell, Permissions::from_mode(mode)).unwrap();
    let layer = layer(&dir.join("root"));
    let tag = format!("{}:{tag}", repository(cluster));
    let start = format!("--cmd=-c,{script}");
    let append = ["--append", layer.to_str().unwrap(), "--entrypoint", "/bin/sh", &start];
    crane(cluster, &[&["mutate", built, "-t", &tag, "--user", "0:0"][..], &append].concat());
    crane(cluster, &["digest", &tag])
}

/// Writes a package with the documentation's own commands.
fn packaged(fabric: &Fabric, label: &str, digest: &str) -> PathBuf {
    packaged_as(fabric, label, &json!({ "name": NAME, "digest": digest }))
}

/// The same for an image whose chaincode listens.
pub(crate) fn packaged_listening(
    fabric: &Fabric,
    label: &str,
    digest: &str,
    listens: &Value,
) -> PathBuf {
    packaged_as(fabric, label, &json!({ "name": NAME, "digest": digest, "listens": listens }))
}

fn packaged_as(fabric: &Fabric, label: &str, image: &Value) -> PathBuf {
    let dir = fabric.network().dir().join("packages").join(label);
    fs::create_dir_all(&dir).unwrap();
    let write =
        |name: &str, json: &Value| fs::write(dir.join(name), format!("{json:#}\n")).unwrap();
    write("image.json", image);
    write("metadata.json", &json!({ "type": "k8s", "label": label }));
    let tar = |arguments: &[&str]| {
        succeeds(Command::new("tar").arg("-czf").args(arguments).current_dir(&dir));
    };
    tar(&["code.tar.gz", "image.json"]);
    tar(&["package.tgz", "metadata.json", "code.tar.gz"]);
    dir.join("package.tgz")
}

/// The image that Selvedge makes of the ledger, and runs.
async fn built(fabric: &Fabric) -> String {
    let package_id = deploy_ledger(fabric, "built");
    let peer = fabric.peer(MSP_ID);
    gateway(fabric, peer, "built").call(Op::Submit, &["Put", "k", "v"]).unwrap();
    let chaincode = peer.chaincode(&package_id).await.unwrap();
    container(fabric, chaincode.name())["image"].as_str().unwrap().to_owned()
}

/// The container of a Deployment's pods.
pub(crate) fn container(fabric: &Fabric, name: &str) -> Value {
    let deployment = fabric.namespace().kubectl(&["get", "deployment", name, "-o", "json"]);
    let deployment: Value = serde_json::from_str(&deployment.unwrap()).unwrap();
    deployment["spec"]["template"]["spec"]["containers"][0].clone()
}

#[test]
fn an_image_that_somebody_else_made_runs_from_the_operators_mirror() {
    on_fabric_of(
        |cluster| mirrored(cluster, "named"),
        async |cluster, fabric| {
            let peer = fabric.peer(MSP_ID);
            let digest = make(cluster, fabric, &built(fabric).await, "fit", 0o755);
            // A label that fabric-builder-k8s would refuse.
            let package_id =
                deploy_package(fabric, &packaged(fabric, "named_1.0", &digest), "named");
            let mut named = gateway(fabric, peer, "named");
            named.call(Op::Submit, &["Put", "k", "kept"]).unwrap();
            assert_eq!(named.call(Op::Evaluate, &["Get", "k"]).unwrap(), "kept");

            let chaincode = peer.chaincode(&package_id).await.unwrap();
            let runs = container(fabric, chaincode.name());
            assert_eq!(runs["image"], format!("{}@{digest}", repository(cluster)));
            // Its own entrypoint, as the registry told it at the install.
            let command = runs["command"].as_array().unwrap();
            let (keeper, entrypoint) = (&command[..2], &command[command.len() - 2..]);
            assert_eq!(keeper, ["/selvedge/keeper", "keep"]);
            assert_eq!(entrypoint, ["--", "/bin/sh"]);
            assert_eq!(runs["args"][0], "-c");
            let jobs = fabric.namespace().kubectl(&["get", "jobs", "-o", "name"]).unwrap();
            assert!(jobs.lines().count() <= 1, "more was built than the ledger: {jobs}");

            let (pod, _) = chaincode.await_running().await.unwrap();
            fabric.namespace().kubectl(&["delete", "pod", &pod]).unwrap();
            until("an answer of another pod", LIMIT, async || {
                let (other, _) =
                    chaincode.await_running().await.map_err(|error| error.to_string())?;
                let value = named.call(Op::Evaluate, &["Get", "k"])?;
                if other == pod || value != "kept" {
                    Err(format!("{other}: {value}"))
                } else {
                    Ok(())
                }
            })
            .await
            .unwrap();
        },
    );
}

#[test]
fn an_image_that_cannot_be_run_is_told_of_at_install_and_at_launch() {
    on_fabric_of(
        |cluster| mirrored(cluster, "unnamed"),
        async |cluster, fabric| {
            let peer = fabric.peer(MSP_ID);
            let (registry, repository) = (cluster.registry(), repository(cluster));
            let built = built(fabric).await;
            let absent = format!("sha256:{}", "0".repeat(64));
            let other = format!("{repository}:other");
            crane(cluster, &["mutate", &built, "--set-platform", "linux/s390x", "-t", &other]);
            let other = crane(cluster, &["digest", &other]);
            for (label, digest, parts) in [
                (
                    "absent_1.0",
                    &absent,
                    [format!("the registry {registry} has no image {repository}@{absent}, which")],
                ),
                (
                    "other_1.0",
                    &other,
                    [format!(
                        "the image {repository}@{other} in the registry {registry} is for linux/s390x"
                    )],
                ),
            ] {
                peer.install(&packaged(fabric, label, digest)).unwrap_err();
                let parts = [BUILDER, &parts[0], NAME, "registry.rewrites"];
                peer.await_line("peer", &parts, LIMIT).await.unwrap();
            }
            for (label, digest, reason) in [
                ("tagged_1.0", "1.0", "image.json has the tag 1.0 as its `digest`"),
                ("undigested_1.0", "", "image.json has no `digest`"),
            ] {
                peer.install(&packaged(fabric, label, digest)).unwrap_err();
                peer.await_line("peer", &[BUILDER, reason], LIMIT).await.unwrap();
            }

            // There at the install, and cleared away before anybody ran it.
            let gone = make(cluster, fabric, &built, "gone", 0o711);
            let package = packaged(fabric, "gone_1.0", &gone);
            let package_id = peer.install(&package).unwrap();
            crane(cluster, &["delete", &format!("{repository}@{gone}")]);
            let definition = Definition::new("gone");
            peer.approve(&package_id, &definition).unwrap();
            peer.commit(&definition).unwrap();
            let error =
                gateway(fabric, peer, "gone").call(Op::Evaluate, &["Get", "k"]).unwrap_err();
            let reason = format!("{repository}@{gone}");
            assert!(error.contains(&reason) && error.contains("NotFound"), "{error}");
            peer.await_line("peer", &[BUILDER, &reason, "NotFound"], LIMIT).await.unwrap();
        },
    );
}

/// The way out for what cannot do without: the operator's file.
#[test]
fn an_image_that_needs_root_says_so_and_gets_it_from_the_operator_alone() {
    on_fabric_of(
        |cluster| mirrored(cluster, "rooted"),
        async |cluster, fabric| {
            let peer = fabric.peer(MSP_ID);
            let digest = make(cluster, fabric, &built(fabric).await, "rooted", 0o700);
            deploy_package(fabric, &packaged(fabric, "rooted_1.0", &digest), "rooted");
            let mut rooted = gateway(fabric, peer, "rooted");
            let error = rooted.call(Op::Evaluate, &["Get", "k"]).unwrap_err();
            for part in ["ended before it registered", "/bin/sh", "Permission denied"] {
                assert!(error.contains(part), "{error}");
            }
            let context = json!({ "runAsUser": 0, "runAsNonRoot": false });
            let containers = json!([{ "name": "chaincode", "securityContext": context }]);
            let rooted_alone = json!({
                "allow": ["runAsNonRoot", "runAsRoot"],
                "podTemplate": { "spec": { "containers": containers } },
            });
            let overrides =
                json!([{ "match": { "label": "rooted_*" }, "chaincode": rooted_alone }]);
            peer.say("overrides", overrides).await.unwrap();
            // What `allow` lifts is Selvedge's; the namespace's own level is the cluster's.
            let level = "pod-security.kubernetes.io/enforce=baseline";
            let namespace = fabric.namespace();
            namespace
                .kubectl(&["label", "--overwrite", "namespace", namespace.name(), level])
                .unwrap();
            until("an answer", LIMIT, async || rooted.call(Op::Submit, &["Put", "k", "v"]))
                .await
                .unwrap();
        },
    );
}
