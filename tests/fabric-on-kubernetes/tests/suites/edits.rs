//! The operator's ConfigMap is edited while everything runs: what it says of a chaincode takes effect,
//! no transaction fails of it, no other chaincode notices, and what is not right changes nothing.

use std::sync::Arc;

use cluster::{Cluster, Namespace, until};
use e2e::{Load, Op};
use fabric_on_kubernetes::{Chaincode, Fabric, PeerPod};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::shared::{BUILDER, LIMIT, MSP_ID, deploy_ledger, gateway, on_fabric, one};
use crate::twins::grant;

/// The chaincode that the edits concern, and one that they do not.
const NAME: &str = "edited";
const OTHER: &str = "untouched";

/// Where the chaincode may go, and where the launcher may do nothing.
const THERE: &str = "edits-there";
const BARRED: &str = "edits-barred";

/// What the peer's log says when what runs is left as it is.
const STAYS: &str = "it does not come up with its new settings, and runs on as before";

/// What the launcher logs when the peer takes a chaincode as ready: once for each stream.
const READY: &str = "the peer takes the chaincode as ready";

/// The chaincode that is edited, and what its operator has said of it until now.
struct Edited<'a> {
    peer: &'a PeerPod,
    package_id: String,
    said: Value,
}

impl Edited<'_> {
    /// Says another value for a key, in the ConfigMap alone; the peer's log tells of the change.
    async fn say(&mut self, key: &str, value: Value, change: &str) {
        self.said[key] = value;
        let label = format!("{NAME}_*");
        let overrides = json!([{ "match": { "label": label }, "chaincode": self.said }]);
        self.peer.say("overrides", overrides).await.unwrap();
        let told = [BUILDER, "it has new settings: ", change];
        self.peer.await_line("peer", &told, LIMIT).await.unwrap();
    }

    /// What has taken over in the peer's namespace.
    async fn successor(&self, before: &Chaincode) -> Chaincode {
        self.peer.successor(&self.package_id, before).await.unwrap()
    }
}

/// Waits until a chaincode has so many pods, which all run.
async fn await_pods(chaincode: &Chaincode, wanted: usize) -> Vec<Pod> {
    until(&format!("{wanted} pods of {}", chaincode.name()), LIMIT, async || {
        let pods = chaincode.pods().await.map_err(|error| error.to_string())?;
        let phases: Vec<_> = pods.iter().map(|pod| pod.status.as_ref()?.phase.as_deref()).collect();
        let all_run = phases.iter().all(|phase| *phase == Some("Running"));
        if all_run && pods.len() == wanted { Ok(()) } else { Err(format!("{phases:?}")) }
    })
    .await
    .unwrap();
    chaincode.pods().await.unwrap()
}

/// What is said at a place of every pod.
fn in_all(pods: &[Pod], pointer: &str, holds: impl Fn(&Value) -> bool) {
    for pod in pods {
        let pod = serde_json::to_value(pod).unwrap();
        assert!(pod.pointer(pointer).is_some_and(&holds), "{pointer} of {pod:#}");
    }
}

/// Which pods they are: others of the same name would have begun at another time.
fn begun(pods: &[Pod]) -> Vec<String> {
    let mut begun: Vec<String> = pods
        .iter()
        .map(|pod| {
            let start = pod.status.as_ref().and_then(|status| status.start_time.clone());
            format!("{:?} {start:?}", pod.metadata.uid)
        })
        .collect();
    begun.sort();
    begun
}

/// Writes a file that is refused: who asks is told why, and the peer stays ready.
async fn assert_refused(peer: &PeerPod, file: &str, reason: &str) {
    peer.write_file(file).unwrap();
    until(&format!("the refusal: {reason}"), LIMIT, async || {
        // An error unless the launcher is ready all the same.
        let answer = peer.readyz().map_err(|error| error.to_string())?;
        let refused = answer.contains("what was in force stays") && answer.contains(reason);
        if refused { Ok(()) } else { Err(answer) }
    })
    .await
    .unwrap();
    peer.await_line("launcher", &["the operator's file is refused"], LIMIT).await.unwrap();
}

/// A namespace where what is more than restricted is refused.
async fn restricted(cluster: &Cluster, name: &str) -> Arc<Namespace> {
    let namespace = cluster.namespace(name).await.unwrap();
    let label = "pod-security.kubernetes.io/enforce=restricted";
    namespace.kubectl(&["label", "namespace", name, label]).unwrap();
    Arc::new(namespace)
}

/// Deploys a ledger, calls it, and waits for its pod.
async fn deployed(fabric: &Fabric, name: &str) -> (String, Chaincode) {
    let peer = fabric.peer(MSP_ID);
    let package_id = deploy_ledger(fabric, name);
    gateway(fabric, peer, name).call(Op::Submit, &["Put", "k", "v"]).unwrap();
    let chaincode = peer.chaincode(&package_id).await.unwrap();
    await_pods(&chaincode, 1).await;
    (package_id, chaincode)
}

#[test]
fn what_is_edited_under_load_takes_effect_and_fails_nothing() {
    on_fabric(&one("edits"), async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let [there, _barred] =
            [restricted(cluster, THERE).await, restricted(cluster, BARRED).await];
        grant(peer, &there, &["edits"]);
        let (_, other) = deployed(fabric, OTHER).await;
        let untouched = begun(&await_pods(&other, 1).await);
        let (package_id, first) = deployed(fabric, NAME).await;
        let load = Load::begin(|| gateway(fabric, peer, NAME));
        let mut client = gateway(fabric, peer, NAME);
        let mut edited = Edited { peer, package_id, said: json!({}) };

        edited.say("replicas", json!(2), "replicas: 1 -> 2").await;
        let second = edited.successor(&first).await;
        await_pods(&second, 2).await;

        let limits = json!({ "limits": { "memory": "300Mi" } });
        let change = r#"resources.limits.memory: "512Mi" -> "300Mi""#;
        edited.say("resources", limits, change).await;
        let third = edited.successor(&second).await;
        let memory = "/spec/containers/0/resources/limits/memory";
        in_all(&await_pods(&third, 2).await, memory, |limit| limit == "300Mi");

        let unset = client.call(Op::Evaluate, &["Env", "GREETING"]).unwrap_err();
        assert!(unset.contains("is not set"), "{unset}");
        let change = r#"environment.GREETING: "woven""#;
        edited.say("environment", json!({ "GREETING": "woven" }), change).await;
        let fourth = edited.successor(&third).await;
        assert_eq!(client.call(Op::Evaluate, &["Env", "GREETING"]).unwrap(), "woven");

        let toleration = json!({ "key": "edited", "operator": "Exists", "effect": "NoSchedule" });
        edited.say("tolerations", json!([toleration]), "tolerations: ").await;
        let fifth = edited.successor(&fourth).await;
        let pods = await_pods(&fifth, 2).await;
        in_all(&pods, "/spec/tolerations", |all| {
            all.as_array().is_some_and(|all| all.contains(&toleration))
        });

        // What cannot run changes nothing.
        let pods = begun(&pods);
        let missing = json!({ "secretKeyRef": { "name": "nowhere", "key": "token" } });
        let change = "environment.TOKEN.secretKeyRef";
        edited.say("environment", json!({ "GREETING": "woven", "TOKEN": missing }), change).await;
        let told = [BUILDER, STAYS, r#"secret "nowhere" not found"#];
        peer.await_line("peer", &told, LIMIT).await.unwrap();
        assert_eq!(begun(&await_pods(&fifth, 2).await), pods);
        edited.said["environment"] = json!({ "GREETING": "woven" });

        // What is not right changes nothing.
        let file = "apiVersion: selvedge/v1\nbackend: kubernetes\nchaincode: {replcas: 1}\n";
        let (half, _) = file.split_once("cas").unwrap();
        assert_refused(
            peer,
            file,
            "3:13: chaincode.replcas: unknown key; did you mean `replicas`?",
        )
        .await;
        assert_refused(peer, half, "3:12: unclosed bracket").await;
        edited.say("namespace", json!(BARRED), r#"namespace: "edits-barred""#).await;
        let told = [
            BUILDER,
            STAYS,
            "the service account edits/selvedge-launcher-org1 may not",
            "in the namespace edits-barred; grant it by a Role and a RoleBinding there",
        ];
        peer.await_line("peer", &told, LIMIT).await.unwrap();
        assert_eq!(begun(&await_pods(&fifth, 2).await), pods);

        let change = r#"namespace: "edits-barred" -> "edits-there""#;
        edited.say("namespace", json!(THERE), change).await;
        let sixth = peer.chaincode_in(&there, &edited.package_id).await.unwrap();
        await_pods(&sixth, 2).await;
        until("the end of the pods in the peer's namespace", LIMIT, async || {
            let left = fifth.pods().await.map_err(|error| error.to_string())?;
            if left.is_empty() { Ok(()) } else { Err(format!("{} pods", left.len())) }
        })
        .await
        .unwrap();
        assert_eq!(client.call(Op::Evaluate, &["Env", "GREETING"]).unwrap(), "woven");

        load.assert_unharmed();
        assert_eq!(begun(&await_pods(&other, 1).await), untouched);
        let log = peer.log("launcher").await.unwrap();
        let of_edited = |line: &&str| line.contains(&edited.package_id) && line.contains(READY);
        assert_eq!(log.lines().filter(of_edited).count(), 1, "{log}");
    });
}
