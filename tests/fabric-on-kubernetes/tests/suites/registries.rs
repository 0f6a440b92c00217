//! Registries in trouble: down, with a password, with half an answer.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use cluster::{Cluster, GuardedRegistry, until};
use e2e::{Op, chaincode_dir};
use fabric_on_kubernetes::{Fabric, PeerPod};
use serde_json::{Value, json};

use crate::shared::{
    BUILDER, LIMIT, MSP_ID, deploy_ledger, gateway, new_program, on_fabric, on_fabric_of, one,
    package,
};

/// The Secret with the registry's credentials.
pub(crate) const SECRET: &str = "registry";

/// The install fails, and the peer's log says why.
async fn refused(fabric: &Fabric, peer: &PeerPod, label: &str, parts: &[&str]) {
    let file = package(fabric, &new_program(fabric, label), &format!("{label}_1.0"));
    peer.install(&file).unwrap_err();
    peer.await_line("peer", &[&[BUILDER], parts].concat(), LIMIT).await.unwrap();
}

#[test]
fn one_that_is_down_is_named() {
    let spec = one("registry-down").say("registry.address", json!("127.0.0.1:1/selvedge"));
    on_fabric(&spec, async |_, fabric| {
        let parts = ["cannot reach the registry 127.0.0.1:1 over plain HTTP"];
        refused(fabric, fabric.peer(MSP_ID), "registry-down", &parts).await;
    });
}

/// What a person makes with `kubectl create secret docker-registry`.
pub(crate) fn credentials(registry: &GuardedRegistry, password: &str) -> Value {
    credentials_for(&[&registry.address], registry.user, password)
}

/// The same for several registries.
pub(crate) fn credentials_for(registries: &[&str], user: &str, password: &str) -> Value {
    let login = json!({ "username": user, "password": password });
    let logins: BTreeMap<&str, &Value> = registries.iter().map(|name| (*name, &login)).collect();
    let config = json!({ "auths": logins });
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": SECRET },
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": { ".dockerconfigjson": config.to_string() },
    })
}

#[test]
fn one_with_a_password_is_used_with_the_right_one_alone() {
    let guarded = |cluster: &Cluster| {
        let address = cluster.guarded_registry().address;
        one("registry-guarded")
            .say("registry.address", json!(format!("{address}/guarded")))
            .say("registry.secret", json!(SECRET))
    };
    on_fabric_of(guarded, async |cluster, fabric| {
        let (peer, registry) = (fabric.peer(MSP_ID), cluster.guarded_registry());
        let missing = ["there is no Secret registry-guarded/registry (registry.secret)"];
        refused(fabric, peer, "no-secret", &missing).await;

        fabric.namespace().apply(&credentials(&registry, "wrong")).unwrap();
        let denied = format!(
            "the registry {} refused the credentials for guarded/chaincode (as the Secret has \
             them; registry.secret)",
            registry.address
        );
        refused(fabric, peer, "wrong-password", &[&denied]).await;

        // Pushed by the launcher and pulled by the node, without a new start of either.
        fabric.namespace().apply(&credentials(&registry, registry.password)).unwrap();
        deploy_ledger(fabric, "ledger");
        let mut ledger = gateway(fabric, peer, "ledger");
        ledger.call(Op::Submit, &["Put", "k", "v"]).unwrap();
        let images = ["get", "pods", "-l", "app.kubernetes.io/name=chaincode", "-o", "yaml"];
        let images = fabric.namespace().kubectl(&images).unwrap();
        assert!(images.contains(&format!("image: {}/guarded/chaincode@", registry.address)));

        peer.say("registry.secret", Value::Null).await.unwrap();
        let denied = "refused the credentials for guarded/chaincode (none were given; \
                      registry.secret)";
        refused(fabric, peer, "no-password", &[denied]).await;
    });
}

#[test]
fn one_with_a_password_that_has_the_launcher_is_used_with_the_secret_of_its_own_pod() {
    on_fabric(&one("launcher-guarded"), async |cluster, fabric| {
        let (peer, registry) = (fabric.peer(MSP_ID), cluster.guarded_registry());
        let kubectl = |arguments: &[&str]| fabric.namespace().kubectl(arguments).unwrap();
        let output = "jsonpath={.spec.initContainers[0].image}";
        let image = kubectl(&["get", "pod", peer.pod(), "-o", output]);
        let image = image.replace(&cluster.registry(), &registry.address);
        let before = peer.uid().await.unwrap();
        fabric.namespace().apply(&credentials(&registry, registry.password)).unwrap();
        peer.say("builds.launcherImage", json!(image)).await.unwrap();
        let secrets = json!({ "imagePullSecrets": [{ "name": SECRET }] });
        let secrets = json!({ "spec": { "template": { "spec": secrets } } }).to_string();
        kubectl(&["patch", "statefulset", peer.pod().trim_end_matches("-0"), "-p", &secrets]);
        until("another pod", LIMIT, async || {
            let now = peer.uid().await.map_err(|error| error.to_string())?;
            if now == before { Err(now) } else { Ok(()) }
        })
        .await
        .unwrap();
        peer.await_serving().await.unwrap();

        peer.install(&package(fabric, &new_program(fabric, "pulled"), "pulled_1.0")).unwrap();
        deploy_ledger(fabric, "ledger");
        gateway(fabric, peer, "ledger").call(Op::Submit, &["Put", "k", "v"]).unwrap();
    });
}

/// A registry that answers each request with the half of an answer and hangs up.
fn halved(cluster: &Cluster) -> String {
    let listener = TcpListener::bind((cluster.host_address(), 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let registry: SocketAddr = cluster.registry().parse().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || halve(stream, registry));
        }
    });
    address.to_string()
}

fn halve(mut client: TcpStream, registry: SocketAddr) -> io::Result<()> {
    let mut registry = TcpStream::connect(registry)?;
    let request = read_head(&mut client)?;
    registry.write_all(&request)?;
    let (mut from, mut to) = (client.try_clone()?, registry.try_clone()?);
    thread::spawn(move || io::copy(&mut from, &mut to));
    let answer = read_head(&mut registry)?;
    client.write_all(&answer)?;
    if !request.starts_with(b"HEAD") {
        let half = body_length(&answer).unwrap_or(0) / 2;
        io::copy(&mut (&registry).take(half), &mut client)?;
    }
    client.shutdown(Shutdown::Both)
}

/// Up to the empty line.
fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(head)
}

fn body_length(head: &[u8]) -> Option<u64> {
    let head = String::from_utf8_lossy(head).to_lowercase();
    head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
}

#[test]
fn one_that_answers_half_is_not_believed() {
    let half = |cluster: &Cluster| {
        one("registry-half").say("registry.address", json!(format!("{}/selvedge", halved(cluster))))
    };
    on_fabric_of(half, async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let parts = ["the registry", "gave no sound answer for", "/selvedge/chaincode:"];
        // Half of "there is no such image", and then half of an image's manifest.
        refused(fabric, peer, "registry-half", &parts).await;
        let file = package(fabric, &chaincode_dir("ledger"), "half_1.0");
        peer.install(&file).unwrap_err();
        let jobs = fabric.namespace().kubectl(&["get", "jobs", "-o", "name"]).unwrap();
        assert_eq!(jobs, "", "something was built");
    });
}

#[test]
fn one_where_somebody_else_pushed_is_not_believed() {
    let own = |cluster: &Cluster| {
        one("registry-forged")
            .say("registry.address", json!(format!("{}/forged", cluster.registry())))
    };
    on_fabric_of(own, async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let crane = |arguments: &[&str]| {
            let crane = cluster.tools().program("crane");
            let done = Command::new(crane).arg("--insecure").args(arguments).output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8_lossy(&done.stdout).trim().to_owned()
        };
        let source = new_program(fabric, "registry-forged");
        let install = |label: &str| peer.install(&package(fabric, &source, label)).unwrap();
        install("first_1.0");
        let repository = format!("{}/forged/chaincode", cluster.registry());
        // What is told of an image has a tag, too.
        let tags = crane(&["ls", &repository]);
        let tag = tags.lines().find(|tag| tag.starts_with("build-")).unwrap();
        let image = format!("{repository}:{tag}");
        let own = crane(&["digest", &image]);

        crane(&["mutate", &image, "--entrypoint", "/bin/sh", "-t", &image]);
        assert_ne!(crane(&["digest", &image]), own);
        install("second_1.0");
        let parts = [BUILDER, "was not made of this source", &image];
        peer.await_line("peer", &parts, LIMIT).await.unwrap();
        assert_eq!(crane(&["digest", &image]), own, "what somebody pushed is still there");
    });
}
