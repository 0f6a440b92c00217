//! Chaincode in another namespace than its peer's: one that is missing is named, and served as
//! soon as it is there.

use cluster::until;
use e2e::Op;
use serde_json::{Value, json};

use crate::shared::{
    BUILDER, LIMIT, MSP_ID, deploy_ledger, gateway, new_program, on_fabric, one, package,
};

/// Where the chaincode is to be.
const ELSEWHERE: &str = "chaincodes";

#[test]
fn a_namespace_that_does_not_exist_is_named_and_used_once_it_does() {
    let spec = one("elsewhere").say("chaincode.namespace", json!(ELSEWHERE));
    on_fabric(&spec, async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let file = package(fabric, &new_program(fabric, "elsewhere"), "program_1.0");
        // Whom nobody granted anything there is not told whether there is such a namespace.
        peer.install(&file).unwrap_err();
        let parts = [
            "the service account elsewhere/selvedge-launcher-org1 may not create jobs in the \
             namespace chaincodes",
            "if there is such a namespace",
        ];
        peer.await_line("peer", &[&[BUILDER], &parts[..]].concat(), LIMIT).await.unwrap();

        let role = ["get", "role", "selvedge-chaincode-org1", "-o", "json"];
        let role: Value =
            serde_json::from_str(&fabric.namespace().kubectl(&role).unwrap()).unwrap();
        let name = "selvedge-launcher-elsewhere";
        let everywhere = json!({ "apiVersion": "v1", "kind": "List", "items": [
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": { "name": name },
                "rules": role["rules"],
            },
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": { "name": name },
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name,
                },
                "subjects": [{
                    "kind": "ServiceAccount",
                    "name": "selvedge-launcher-org1",
                    "namespace": "elsewhere",
                }],
            },
        ]});
        fabric.namespace().apply(&everywhere).unwrap();
        let parts =
            ["there is no namespace chaincodes; create it, or choose another for the chaincode"];
        // Grants take a moment to be known.
        until("the namespace's name", LIMIT, async || {
            peer.install(&file).map(|_| ()).unwrap_err();
            let said = peer.log("peer").await?;
            if said.contains(parts[0]) { Ok(()) } else { Err(said) }
        })
        .await
        .unwrap();

        let there = cluster.namespace(ELSEWHERE).await.unwrap();
        peer.install(&file).unwrap();
        deploy_ledger(fabric, "ledger");
        let mut ledger = gateway(fabric, peer, "ledger");
        ledger.call(Op::Submit, &["Put", "k", "v"]).unwrap();
        let pods = ["get", "pods", "-l", "app.kubernetes.io/name=chaincode", "-o", "name"];
        assert_eq!(there.kubectl(&pods).unwrap().lines().count(), 1);
        assert_eq!(fabric.namespace().kubectl(&pods).unwrap(), "");
        cluster.kubectl().run(&["delete", "clusterrole,clusterrolebinding", name]).unwrap();
    });
}
