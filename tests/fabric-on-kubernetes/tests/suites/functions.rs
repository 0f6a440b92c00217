//! Chaincode that exists only while it is called, in the cluster: at rest there is no process of it,
//! and no pod if none is to be kept; a call starts what it needs.

use cluster::until;
use e2e::{Gateway, Op, chaincode_dir};
use fabric_on_kubernetes::processes::{chaincodes_in, keeper_in, launcher_of, resident};
use fabric_on_kubernetes::{Chaincode, Fabric, FabricSpec, PeerPod};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::handover::GOES_ON;
use crate::recovery::{READY, await_answer};
use crate::shared::{BUILDER, LIMIT, MSP_ID, deploy, deploy_ledger, gateway, on_fabric, one};

/// A network in which chaincodes of these names are functions, with these variables.
fn functions(namespace: &str, functions: &[(&str, Value, Value)]) -> FabricSpec {
    let said = functions.iter().map(|(name, function, environment)| {
        json!({
            "match": { "label": format!("{name}_*") },
            "chaincode": {
                "execution": "function", "function": function, "environment": environment,
            },
        })
    });
    one(namespace).say("overrides", json!(said.collect::<Vec<_>>()))
}

/// A chaincode of a test's own.
struct Guest<'a> {
    peer: &'a PeerPod,
    chaincode: Chaincode,
    gateway: Gateway,
}

impl<'a> Guest<'a> {
    async fn of(fabric: &'a Fabric, name: &str, package_id: &str) -> Self {
        let peer = fabric.peer(MSP_ID);
        let chaincode = peer.chaincode(package_id).await.unwrap();
        Self { peer, chaincode, gateway: gateway(fabric, peer, name) }
    }

    /// Waits until it has so many pods that run, and in none of them a process of the chaincode, but the
    /// keeper of each that is kept; their names.
    async fn await_rest(&self, number: usize) -> Vec<String> {
        until(&format!("{number} pods at rest"), LIMIT, async || {
            let pods = self.chaincode.pods().await.map_err(|error| error.to_string())?;
            let runs = pods.iter().all(|pod| {
                let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
                phase == Some("Running")
            });
            let mut names: Vec<_> = pods.into_iter().filter_map(|pod| pod.metadata.name).collect();
            names.sort();
            let processes: Vec<_> = names.iter().map(|pod| chaincodes_in(pod).len()).collect();
            let is_at_rest = runs && processes.iter().all(|number| *number == 0);
            if names.len() == number && is_at_rest {
                Ok(names)
            } else {
                Err(format!("{processes:?} processes in {names:?}, all running: {runs}"))
            }
        })
        .await
        .unwrap()
    }

    /// Puts a value and reads it again; no call fails.
    fn put_and_get(&mut self, value: &str) {
        self.gateway.call(Op::Submit, &["Put", "k", value]).unwrap();
        assert_eq!(self.gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), value);
    }
}

/// What a call waits for a process, on a machine that has much to do.
const WAIT: &str = "10s";

/// A process for each call, and two at once.
fn once() -> Value {
    json!({ "callsPerProcess": 1, "maxReplicas": 2, "wait": WAIT })
}

#[test]
fn a_pod_that_is_kept_has_a_process_for_as_long_as_it_is_called() {
    let spec = functions("function", &[("once", once(), json!({}))]);
    on_fabric(&spec, async |_, fabric| {
        let package_id = deploy_ledger(fabric, "once");
        let mut guest = Guest::of(fabric, "once", &package_id).await;
        let resting = guest.await_rest(2).await;
        let log = guest.peer.log("launcher").await.unwrap();
        assert!(log.contains(READY), "registered without a process: {log}");

        for round in 0..3 {
            guest.put_and_get(&round.to_string());
            guest.await_rest(2).await;
        }
        // More at once than there may be processes: some wait for their turn.
        let report = guest.gateway.load(Op::Evaluate, 6, 120, &["Get", "k"]);
        assert_eq!((report.failed, report.wrong), (0, 0), "{report:?}");
        assert_eq!(guest.await_rest(2).await, resting, "they are the same pods");
        for pod in &resting {
            let memory = resident(keeper_in(pod));
            assert!(memory < 2 << 10, "the keeper holds {memory} KiB");
        }

        kill_process(launcher_of(guest.peer), Signal::KILL).unwrap();
        // The peer has it launched again for the next call.
        await_answer(&mut guest.gateway, "2").await;
        guest.peer.await_line("launcher", &[GOES_ON], LIMIT).await.unwrap();
        guest.put_and_get("again");
        assert_eq!(guest.await_rest(2).await, resting, "the next launcher found them");

        // A pod that takes another's place is found.
        let delete = ["delete", "pod", "--wait", &resting[0], &resting[1]];
        fabric.namespace().kubectl(&delete).unwrap();
        guest.await_rest(2).await;
        await_answer(&mut guest.gateway, "again").await;
        guest.put_and_get("anew");
        guest.await_rest(2).await;
        let log = guest.peer.log("peer").await.unwrap();
        assert!(!log.contains("a process of the chaincode ended"), "{log}");
    });
}

#[test]
fn what_fails_is_told_to_the_call_and_what_listens_is_dialled_while_it_runs() {
    let fails = json!({ "LEDGER_FAILS": "no luck" });
    let said = [("fails", json!({}), fails), ("listens", once(), json!({}))];
    on_fabric(&functions("function-fails", &said), async |_, fabric| {
        let package_id = deploy_ledger(fabric, "fails");
        let mut guest = Guest::of(fabric, "fails", &package_id).await;
        guest.await_rest(1).await;
        for _ in 0..2 {
            let error = guest.gateway.call(Op::Evaluate, &["Get", "k"]).unwrap_err();
            for part in ["it ended before it registered", "exit status: 3", "ledger: no luck"] {
                assert!(error.contains(part), "{part} is not in: {error}");
            }
        }
        let parts = [BUILDER, "a process of the chaincode ended: exit status: 3", "no luck"];
        guest.peer.await_line("peer", &parts, LIMIT).await.unwrap();
        guest.await_rest(1).await;

        let package_id = deploy(fabric, &chaincode_dir("server"), "listens");
        let mut guest = Guest::of(fabric, "listens", &package_id).await;
        guest.await_rest(2).await;
        for round in 0..2 {
            guest.put_and_get(&round.to_string());
            guest.await_rest(2).await;
        }
    });
}

#[test]
fn where_nothing_is_kept_a_call_has_a_pod_made() {
    let nothing = json!({ "keep": "nothing", "idle": "3s", "wait": WAIT });
    let spec = functions("function-nothing", &[("nothing", nothing, json!({}))]);
    on_fabric(&spec, async |_, fabric| {
        let package_id = deploy_ledger(fabric, "nothing");
        let mut guest = Guest::of(fabric, "nothing", &package_id).await;
        for round in 0..2 {
            guest.await_rest(0).await;
            guest.put_and_get(&round.to_string());
        }
        guest.await_rest(0).await;
    });
}
