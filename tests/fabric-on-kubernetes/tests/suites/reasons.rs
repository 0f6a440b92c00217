//! Why a chaincode cannot run is in the peer's log within two seconds of Kubernetes knowing it.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use cluster::{Cluster, until};
use e2e::{Op, chaincode_dir};
use fabric_on_kubernetes::{Fabric, PeerPod};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::ListParams;
use serde_json::json;
use testbed::Definition;

use crate::shared::{
    BUILDER, LAUNCH_FAILED, LIMIT, MSP_ID, PROMPT, build_ledger, deploy_ledger, gateway, on_fabric,
    on_fabric_of, one, package,
};

/// Waits until the cluster shows a chaincode's pod for which `known` holds.
async fn await_known(fabric: &Fabric, what: &str, known: impl Fn(&Pod) -> bool) {
    let pods = fabric.namespace().api::<Pod>();
    let chaincode = ListParams::default().labels("app.kubernetes.io/name=chaincode");
    until(what, LIMIT, async || {
        let found = pods.list(&chaincode).await.map_err(|error| error.to_string())?.items;
        let shown = || format!("{:?}", found.iter().map(|pod| &pod.status).collect::<Vec<_>>());
        if found.iter().any(&known) { Ok(()) } else { Err(shown()) }
    })
    .await
    .unwrap();
}

fn container(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()
}

fn waits_for(pod: &Pod, reasons: &[&str]) -> bool {
    let waiting = container(pod).and_then(|c| c.state.as_ref()?.waiting.as_ref()?.reason.as_ref());
    waiting.is_some_and(|reason| reasons.contains(&reason.as_str()))
}

/// The peer's log says it at once.
async fn await_told(peer: &PeerPod, parts: &[&str]) {
    let parts = [&[BUILDER], parts].concat();
    peer.await_line("peer", &parts, PROMPT).await.unwrap();
}

/// Calls a chaincode whose launch fails; what the client is told comes when the thread ends.
fn call_in_background(fabric: &Fabric, peer: &PeerPod, name: &str) -> thread::JoinHandle<String> {
    let mut gateway = gateway(fabric, peer, name);
    thread::spawn(move || gateway.call(Op::Evaluate, &["Get", "k"]).unwrap_err())
}

/// Deploys the ledger under a reason that keeps it from running; what the client is told.
async fn refused(fabric: &Fabric, what: &str, known: impl Fn(&Pod) -> bool, parts: &[&str]) {
    let peer = fabric.peer(MSP_ID);
    deploy_ledger(fabric, "ledger");
    let call = call_in_background(fabric, peer, "ledger");
    await_known(fabric, what, known).await;
    await_told(peer, parts).await;
    let error = call.join().unwrap();
    assert!(error.contains(LAUNCH_FAILED), "{error}");
}

#[test]
fn one_that_exits_at_once_is_told_with_its_last_lines() {
    on_fabric(&one("exits"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let file = package(fabric, &chaincode_dir("broken").join("exits"), "exits_1.0");
        fabric.network().deploy(&file, &Definition::new("exits")).unwrap();
        let call = call_in_background(fabric, peer, "exits");
        await_known(fabric, "an end", |pod| {
            container(pod).is_some_and(|container| {
                let state = container.state.as_ref();
                let ended = state.is_some_and(|state| state.terminated.is_some());
                ended || container.restart_count > 0
            })
        })
        .await;
        let lines = "exits: the configuration is missing | exits: giving up with status 3";
        await_told(peer, &["ended before it registered", lines]).await;
        let error = call.join().unwrap();
        assert!(error.contains(LAUNCH_FAILED), "{error}");
    });
}

#[test]
fn one_that_needs_more_memory_than_it_may_have_is_told_its_limit() {
    let spec = one("oom")
        .setting("SELVEDGE_CHAINCODE_REQUESTS", "memory=16Mi")
        .setting("SELVEDGE_CHAINCODE_LIMITS", "memory=48Mi");
    on_fabric(&spec, async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        deploy_ledger(fabric, "ledger");
        let mut gateway = gateway(fabric, peer, "ledger");
        gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
        gateway.call(Op::Evaluate, &["Big", "60000000"]).unwrap_err();
        await_known(fabric, "an end by memory", |pod| {
            let ended = |state: &Option<k8s_openapi::api::core::v1::ContainerState>| {
                let ended = state.as_ref().and_then(|state| state.terminated.as_ref());
                ended.is_some_and(|ended| ended.reason.as_deref() == Some("OOMKilled"))
            };
            container(pod).is_some_and(|c| ended(&c.state) || ended(&c.last_state))
        })
        .await;
        await_told(peer, &["OOMKilled", "48Mi"]).await;
        // Kubernetes lets a container that ends again wait.
        let value = until("an answer", LIMIT, async || gateway.call(Op::Evaluate, &["Get", "k"]));
        assert_eq!(value.await.unwrap(), "v");
    });
}

#[test]
fn one_that_fits_on_no_node_is_told_with_the_schedulers_words() {
    let spec = one("unschedulable").setting("SELVEDGE_CHAINCODE_REQUESTS", "cpu=900");
    on_fabric(&spec, async |_, fabric| {
        let known = |pod: &Pod| {
            let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
            let mut conditions = conditions.into_iter().flatten();
            conditions.any(|condition| condition.reason.as_deref() == Some("Unschedulable"))
        };
        refused(fabric, "a pod without a node", known, &["Insufficient cpu"]).await;
    });
}

#[test]
fn one_whose_image_the_nodes_cannot_pull_is_told_with_the_runtimes_words() {
    // The launcher is told that it speaks plain HTTP, the nodes are not.
    let relayed = |cluster: &Cluster| {
        let listener = TcpListener::bind((cluster.host_address(), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let registry: SocketAddr = cluster.registry().parse().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || relay(&stream, registry));
            }
        });
        one("image-pull").setting("SELVEDGE_REGISTRY", &format!("{address}/selvedge"))
    };
    on_fabric_of(relayed, async |_, fabric| {
        let known = |pod: &Pod| waits_for(pod, &["ErrImagePull", "ImagePullBackOff"]);
        refused(fabric, "an image that is not pulled", known, &["cannot pull the image"]).await;
    });
}

fn relay(here: &TcpStream, there: SocketAddr) -> Option<()> {
    let there = TcpStream::connect(there).ok()?;
    let (mut from, mut to) = (here.try_clone().ok()?, there.try_clone().ok()?);
    thread::spawn(move || io::copy(&mut from, &mut to));
    io::copy(&mut &there, &mut &*here).ok()?;
    Some(())
}

#[test]
fn one_beyond_the_namespaces_quota_is_told_so() {
    on_fabric(&one("quota"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        build_ledger(fabric);
        let file = package(fabric, &chaincode_dir("ledger"), "ledger_1.0");
        let definition = Definition::new("ledger");
        let package_id = peer.install(&file).unwrap();
        // The peer's pod is the one that is allowed.
        let quota = json!({
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": { "name": "few" },
            "spec": { "hard": { "pods": "1" } },
        });
        fabric.namespace().apply(&quota).unwrap();
        until("the quota's use", LIMIT, async || {
            let used = ["get", "resourcequota", "few", "-o", "jsonpath={.status.used.pods}"];
            let used = fabric.namespace().kubectl(&used).map_err(|error| error.to_string())?;
            if used.is_empty() { Err("none".to_owned()) } else { Ok(()) }
        })
        .await
        .unwrap();
        peer.approve(&package_id, &definition).unwrap();
        peer.commit(&definition).unwrap();
        let error = call_in_background(fabric, peer, "ledger").join().unwrap();
        assert!(error.contains(LAUNCH_FAILED), "{error}");
        await_told(peer, &["exceeded quota: few"]).await;
    });
}

#[test]
fn one_that_an_admission_policy_refuses_is_told_so() {
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": "no-chaincode" },
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {
                    "matchLabels": { "kubernetes.io/metadata.name": "admission" },
                },
                "resourceRules": [{
                    "apiGroups": [""], "apiVersions": ["v1"],
                    "operations": ["CREATE"], "resources": ["pods"],
                }],
            },
            "validations": [{
                "expression": "!has(object.metadata.labels) || \
                    !('app.kubernetes.io/name' in object.metadata.labels) || \
                    object.metadata.labels['app.kubernetes.io/name'] != 'chaincode'",
                "message": "chaincode is not welcome here",
            }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": { "name": "no-chaincode" },
        "spec": { "policyName": "no-chaincode", "validationActions": ["Deny"] },
    });
    let mut spec = one("admission");
    spec.before = vec![policy, binding];
    on_fabric(&spec, async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        deploy_ledger(fabric, "ledger");
        let error = call_in_background(fabric, peer, "ledger").join().unwrap();
        assert!(error.contains(LAUNCH_FAILED), "{error}");
        await_told(peer, &["chaincode is not welcome here"]).await;
    });
}

#[test]
fn a_verb_that_the_role_lacks_is_named() {
    on_fabric(&one("verb"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let role = ["get", "role", "selvedge-launcher-org1", "-o", "json"];
        let role = fabric.namespace().kubectl(&role).unwrap();
        let mut role: serde_json::Value = serde_json::from_str(&role).unwrap();
        for rule in role["rules"].as_array_mut().unwrap() {
            if rule["resources"] == json!(["secrets"]) {
                rule["verbs"] = json!(["create", "get"]);
            }
        }
        fabric.namespace().apply(&role).unwrap();
        deploy_ledger(fabric, "ledger");
        let error = call_in_background(fabric, peer, "ledger").join().unwrap();
        assert!(error.contains(LAUNCH_FAILED), "{error}");
        let account = "the service account verb/selvedge-launcher-org1";
        await_told(peer, &[account, "may not patch secrets in the namespace verb"]).await;
    });
}
