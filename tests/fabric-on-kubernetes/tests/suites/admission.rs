//! What an admission policy makes of a chaincode's objects stays: nobody fights over it.

use cluster::until;
use fabric_on_kubernetes::Fabric;
use serde_json::json;

use crate::shared::{LIMIT, MSP_ID, deploy_ledger, on_fabric, one};

/// A policy that adds to a list of ours and sets a field of ours, as those of companies do that
/// inject a proxy's address and pull by their own rules.
struct Policy<'a> {
    fabric: &'a Fabric,
    name: String,
}

impl<'a> Policy<'a> {
    async fn begin(fabric: &'a Fabric) -> Self {
        let namespace = fabric.namespace().name();
        let name = format!("admission-{namespace}");
        let admitted = "Object{spec: Object.spec{template: Object.spec.template{\
            spec: Object.spec.template.spec{\
                containers: [Object.spec.template.spec.containers{\
                    name: 'chaincode',\
                    imagePullPolicy: 'Always',\
                    env: [Object.spec.template.spec.containers.env{\
                        name: 'ADMITTED', value: 'yes'}]}]}}}}";
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1alpha1",
            "kind": "MutatingAdmissionPolicy",
            "metadata": { "name": name },
            "spec": {
                "failurePolicy": "Fail",
                "reinvocationPolicy": "Never",
                "matchConstraints": {
                    "namespaceSelector": {
                        "matchLabels": { "kubernetes.io/metadata.name": namespace },
                    },
                    "resourceRules": [{
                        "apiGroups": ["apps"], "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"], "resources": ["deployments"],
                    }],
                },
                "mutations": [{
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": { "expression": admitted },
                }],
            },
        });
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1alpha1",
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": { "name": name },
            "spec": { "policyName": name },
        });
        fabric.namespace().apply(&policy).unwrap();
        let policy = Self { fabric, name };
        fabric.namespace().apply(&binding).unwrap();
        policy.await_force().await;
        policy
    }

    /// The API server takes a moment to know of it.
    async fn await_force(&self) {
        let dry =
            ["create", "deployment", "any", "--image=chaincode", "--dry-run=server", "-o", "json"];
        until("the policy's force", LIMIT, async || {
            let made = self.fabric.namespace().kubectl(&dry).map_err(|error| error.to_string())?;
            if made.contains("ADMITTED") { Ok(()) } else { Err(made) }
        })
        .await
        .unwrap();
    }
}

impl Drop for Policy<'_> {
    fn drop(&mut self) {
        for kind in ["mutatingadmissionpolicybinding", "mutatingadmissionpolicy"] {
            // With the cluster gone, so is the policy.
            let _ = self.fabric.namespace().kubectl(&["delete", kind, &self.name]);
        }
    }
}

#[test]
fn what_a_policy_makes_of_a_deployment_is_left_alone_and_what_a_person_does_is_not() {
    on_fabric(&one("policies"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let _policy = Policy::begin(fabric).await;
        let package_id = deploy_ledger(fabric, "ledger");
        let chaincode = peer.chaincode(&package_id).await.unwrap();
        let (pod, _) = chaincode.await_running().await.unwrap();
        let pod = fabric.namespace().kubectl(&["get", "pod", &pod, "-o", "yaml"]).unwrap();
        assert!(pod.contains("name: ADMITTED"), "{pod}");

        let name = chaincode.name();
        for news in ["one", "two", "three"] {
            let news = format!("selvedge.example/news={news}");
            let annotate = ["annotate", "--overwrite", "deployment", name, &news];
            fabric.namespace().kubectl(&annotate).unwrap();
        }
        // What comes last is seen last.
        fabric.namespace().kubectl(&["scale", "deployment", name, "--replicas=2"]).unwrap();
        let parts = ["was edited (spec.replicas) by another hand; it was put right"];
        peer.await_line("peer", &parts, LIMIT).await.unwrap();
        let log = peer.log("peer").await.unwrap();
        assert_eq!(log.matches("by another hand").count(), 1, "{log}");
    });
}
