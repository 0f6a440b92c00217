//! What is asked of chaincode of every kind: what it wrote is there, also after its process was
//! killed, or its pod deleted.

use std::time::Duration;

use cluster::until;
use e2e::{Gateway, Op};
use fabric_on_kubernetes::Fabric;
use fabric_on_kubernetes::processes::known_in;
use rustix::process::{Pid, Signal, kill_process};

use crate::shared::{MSP_ID, gateway};

/// How long a runtime may take to be ready: on a busy machine several times the 5 s of a JVM on one
/// that is not.
const READY: Duration = Duration::from_mins(2);

/// The process in its pod that answers.
fn answers(client: &mut Gateway, pod: &str) -> Result<Pid, String> {
    let id = client.call(Op::Evaluate, &["Pid"])?;
    known_in(pod, &id).ok_or_else(|| format!("there is no process {id} in {pod}"))
}

/// It writes and reads, as soon as it has started.
async fn writes_and_reads(client: &mut Gateway, value: &str) {
    until("the first answer", READY, async || client.call(Op::Submit, &["Put", "k", value]))
        .await
        .unwrap();
    assert_eq!(client.call(Op::Evaluate, &["Get", "k"]).unwrap(), value);
}

/// It writes and reads, its process in its one pod is killed, and it reads again.
pub(crate) async fn keeps_what_it_writes(fabric: &Fabric, name: &str, pod: &str) {
    let mut client = gateway(fabric, fabric.peer(MSP_ID), name);
    writes_and_reads(&mut client, name).await;
    let first = answers(&mut client, pod).unwrap();
    kill_process(first, Signal::KILL).unwrap();
    // What is called meanwhile may be told that it is away.
    until("an answer of another process", READY, async || {
        let next = answers(&mut client, pod)?;
        if next == first { Err("the first one answers".to_owned()) } else { Ok(()) }
    })
    .await
    .unwrap();
    assert_eq!(client.call(Op::Evaluate, &["Get", "k"]).unwrap(), name);
}

/// The same for chaincode that Selvedge runs.
pub(crate) async fn lives_on(fabric: &Fabric, name: &str, package_id: &str) {
    let chaincode = fabric.peer(MSP_ID).chaincode(package_id).await.unwrap();
    let (pod, _) = chaincode.await_running().await.unwrap();
    keeps_what_it_writes(fabric, name, &pod).await;
}

/// It writes and reads, its one pod is deleted, and it reads again in the next one.
pub(crate) async fn outlives_its_pod(fabric: &Fabric, name: &str, package_id: &str) {
    let peer = fabric.peer(MSP_ID);
    let mut client = gateway(fabric, peer, name);
    writes_and_reads(&mut client, name).await;
    let chaincode = peer.chaincode(package_id).await.unwrap();
    let (pod, _) = chaincode.await_running().await.unwrap();
    fabric.namespace().kubectl(&["delete", "pod", &pod, "--wait=true"]).unwrap();
    chaincode.await_running().await.unwrap();
    until("the chaincode's next pod to answer", READY, async || {
        client.call(Op::Evaluate, &["Get", "k"]).map(|value| assert_eq!(value, name))
    })
    .await
    .unwrap();
}
