//! Java chaincode in the cluster: built by a Job, run over the runtime's image.

use e2e::{Op, chaincode_dir};

use crate::shared::{LIMIT, MSP_ID, deploy, gateway, on_fabric, one, package};

#[test]
fn a_maven_project_is_built_found_and_lives_on() {
    on_fabric(&one("java"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let source = chaincode_dir("java");
        let package_id = deploy(fabric, &source, "java");
        let mut client = gateway(fabric, peer, "java");
        client.call(Op::Submit, &["Put", "k", "of java"]).unwrap();
        assert_eq!(client.call(Op::Evaluate, &["Get", "k"]).unwrap(), "of java");

        // The pod goes, and what was written stays.
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let (pod, _) = chaincode.await_running().await.unwrap();
        fabric.namespace().kubectl(&["delete", "pod", &pod, "--wait=true"]).unwrap();
        chaincode.await_running().await.unwrap();
        cluster::until("the chaincode's next pod to answer", LIMIT, async || {
            client.call(Op::Evaluate, &["Get", "k"]).map(|value| assert_eq!(value, "of java"))
        })
        .await
        .unwrap();

        // What was built once is found, over the same runtime, and taken.
        peer.install(&package(fabric, &source, "again_1.0")).unwrap();
        let jobs = fabric.namespace().kubectl(&["get", "jobs", "-o", "name"]).unwrap();
        assert_eq!(jobs.lines().count(), 1, "{jobs}");
    });
}
