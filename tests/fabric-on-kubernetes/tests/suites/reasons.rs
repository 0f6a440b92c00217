//! Why a chaincode cannot run is in the peer's log within two seconds of Kubernetes knowing it.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use cluster::{Cluster, until};
use e2e::{Op, chaincode_dir};
use fabric_on_kubernetes::{Fabric, PeerPod};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use serde_json::json;
use testbed::Definition;

use crate::shared::{
    BUILDER, LIMIT, MSP_ID, PROMPT, allow_no_more_pods, build_ledger, deploy_ledger, gateway,
    on_fabric, on_fabric_of, one, package,
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

/// Waits until the cluster shows that a chaincode is refused its pod.
async fn await_pod_refused(fabric: &Fabric) {
    let sets = fabric.namespace().api::<ReplicaSet>();
    until("a ReplicaSet without a pod", LIMIT, async || {
        let found = sets.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let conditions = found.items.into_iter().filter_map(|set| set.status?.conditions);
        let failed = conditions.flatten().any(|condition| condition.type_ == "ReplicaFailure");
        if failed { Ok(()) } else { Err("none".to_owned()) }
    })
    .await
    .unwrap();
}

/// The peer's log says it at once.
async fn await_told(peer: &PeerPod, parts: &[&str]) {
    let parts = [&[BUILDER], parts].concat();
    peer.await_line("peer", &parts, PROMPT).await.unwrap();
}

/// The peer's log comes to say it: of what happens in a pod's container Kubernetes knows nothing.
async fn await_told_in_time(peer: &PeerPod, parts: &[&str]) {
    peer.await_line("peer", &[&[BUILDER], parts].concat(), LIMIT).await.unwrap();
}

/// A call of a chaincode whose launch fails.
struct Call(thread::JoinHandle<(String, Timestamp)>);

impl Call {
    /// Calls, and does not wait for what comes of it.
    fn begin(fabric: &Fabric, peer: &PeerPod) -> Self {
        let mut gateway = gateway(fabric, peer, "ledger");
        Self(thread::spawn(move || {
            let error = gateway.call(Op::Evaluate, &["Get", "k"]).unwrap_err();
            (error, Timestamp::now())
        }))
    }

    /// It failed with the reason, as soon as the peer's log had the reason.
    async fn assert_failed_at_once(self, peer: &PeerPod, parts: &[&str]) {
        let (error, failed) = self.0.join().unwrap();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        let log = peer.log("peer").await.unwrap();
        let told = log.lines().filter(|line| parts.iter().all(|part| line.contains(part)));
        let times = told.filter_map(|line| line.split(' ').next()?.parse::<Timestamp>().ok());
        let late = times.map(|told| failed.duration_since(told).abs()).min().unwrap();
        assert!(late.unsigned_abs() < PROMPT, "{late:?} after the reason\n{log}");
    }
}

/// Deploys the ledger under a reason that keeps it from running; what the client is told.
async fn refused(fabric: &Fabric, what: &str, known: impl Fn(&Pod) -> bool, parts: &[&str]) {
    let peer = fabric.peer(MSP_ID);
    deploy_ledger(fabric, "ledger");
    let call = Call::begin(fabric, peer);
    await_known(fabric, what, known).await;
    await_told(peer, parts).await;
    call.assert_failed_at_once(peer, parts).await;
}

#[test]
fn one_that_exits_at_once_is_told_with_its_last_lines() {
    on_fabric(&one("exits"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let file = package(fabric, &chaincode_dir("broken").join("exits"), "exits_1.0");
        fabric.network().deploy(&file, &Definition::new("ledger")).unwrap();
        let call = Call::begin(fabric, peer);
        let lines = "exits: the configuration is missing | exits: giving up with status 3";
        let parts = ["ended before it registered", "exit status: 3", lines];
        await_told_in_time(peer, &parts).await;
        call.assert_failed_at_once(peer, &parts).await;
    });
}

#[test]
fn one_that_ends_again_and_again_is_told_with_its_last_lines() {
    on_fabric(&one("crash-loop"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        deploy_ledger(fabric, "ledger");
        let mut gateway = gateway(fabric, peer, "ledger");
        gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
        // Its keeper starts it again at once after the first end, and later and later after others. A
        // call that has ended it is given to the next one, once.
        let reason = ["the chaincode cannot run", "times in a row", "ledger: crash on demand"];
        until("chaincode that is not started again soon", LIMIT, async || {
            gateway.call(Op::Evaluate, &["Crash"]).unwrap_err();
            let log = peer.log("peer").await?;
            let is_told = |line: &str| reason.iter().all(|part| line.contains(part));
            if log.lines().any(is_told) { Ok(()) } else { Err(log) }
        })
        .await
        .unwrap();
        // It recovers without a person.
        let value = until("an answer", LIMIT, async || gateway.call(Op::Evaluate, &["Get", "k"]));
        assert_eq!(value.await.unwrap(), "v");
    });
}

#[test]
fn one_that_needs_more_memory_than_it_may_have_is_told_its_limit() {
    let spec = one("oom")
        .say("chaincode.resources.requests.memory", json!("16Mi"))
        .say("chaincode.resources.limits.memory", json!("48Mi"));
    on_fabric(&spec, async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        deploy_ledger(fabric, "ledger");
        let mut gateway = gateway(fabric, peer, "ledger");
        gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
        gateway.call(Op::Evaluate, &["Big", "60000000"]).unwrap_err();
        // The kernel kills the chaincode alone or its keeper as well, by the version of cgroups.
        await_told_in_time(peer, &["OOMKilled", "48Mi"]).await;
        let value = until("an answer", LIMIT, async || gateway.call(Op::Evaluate, &["Get", "k"]));
        assert_eq!(value.await.unwrap(), "v");
    });
}

#[test]
fn one_that_fits_on_no_node_is_told_with_the_schedulers_words() {
    let spec = one("unschedulable").say("chaincode.resources.requests.cpu", json!("900"));
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
        one("image-pull").say("registry.address", json!(format!("{address}/selvedge")))
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
        allow_no_more_pods(fabric).await;
        peer.approve(&package_id, &definition).unwrap();
        peer.commit(&definition).unwrap();
        let (call, parts) = (Call::begin(fabric, peer), ["exceeded quota: few"]);
        await_pod_refused(fabric).await;
        await_told(peer, &parts).await;
        call.assert_failed_at_once(peer, &parts).await;
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
        let (call, parts) = (Call::begin(fabric, peer), ["chaincode is not welcome here"]);
        await_pod_refused(fabric).await;
        await_told(peer, &parts).await;
        call.assert_failed_at_once(peer, &parts).await;
    });
}

#[test]
fn a_verb_that_the_role_lacks_is_named() {
    on_fabric(&one("verb"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let role = ["get", "role", "selvedge-chaincode-org1", "-o", "json"];
        let role = fabric.namespace().kubectl(&role).unwrap();
        let mut role: serde_json::Value = serde_json::from_str(&role).unwrap();
        for rule in role["rules"].as_array_mut().unwrap() {
            if rule["resources"] == json!(["secrets"]) {
                rule["verbs"] = json!(["create", "get"]);
            }
        }
        fabric.namespace().apply(&role).unwrap();
        deploy_ledger(fabric, "ledger");
        let account = "the service account verb/selvedge-launcher-org1";
        let parts = [account, "may not patch secrets in the namespace verb"];
        Call::begin(fabric, peer).assert_failed_at_once(peer, &parts).await;
        await_told(peer, &parts).await;
    });
}
