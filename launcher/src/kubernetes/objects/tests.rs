//! The order in which a chaincode's objects are applied, and who owns them.

use std::net::SocketAddr;

use selvedge_config::Chaincode;
use selvedge_manifest::LaunchPlan;
use serde_json::json;

use super::super::mock::Api;
use super::*;

async fn apply(api: &Api) -> Result<Objects, ApplyError> {
    let ground = api.ground("peer0-a");
    let identity = Identity::new("chaincode", "basic_1.0:ab", "Org1MSP", "peer0");
    let plan = LaunchPlan { environment: vec![], files: vec![], arguments: vec![], port: None };
    let settings = Chaincode::default();
    let mut objects = Objects::default();
    let blueprint = Blueprint {
        identity: &identity,
        image: "registry/chaincode@sha256:01",
        command: None,
        plan: &plan,
        credentials: "c0ffee",
        generation: 1,
        proxy: SocketAddr::new(ground.pod.ip, 40123),
        peer: &ground.pod.peer,
        settings: &settings,
        pods: 1,
        launcher_image: "launcher",
        pull_secrets: &[],
        pull_login: None,
        owner: None,
    };
    Box::pin(objects.apply(&ground, &blueprint)).await.map(|_| objects)
}

#[tokio::test]
async fn the_service_comes_first_and_owns_the_rest_and_the_pods_come_last() {
    let api = Api::default();
    apply(&api).await.unwrap();
    let requests = api.requests();
    assert_eq!(requests.len(), 5, "{requests:?}");
    assert!(requests[0].starts_with("PATCH /api/v1/namespaces/chaincode/services/"));
    assert!(requests[4].starts_with("PATCH /apis/apps/v1/namespaces/chaincode/deployments/"));
    let path = |request: &str| request.trim_start_matches("PATCH ").to_owned();
    let service = api.object(&path(&requests[0])).unwrap();
    for request in &requests[1..] {
        let object = api.object(&path(request)).unwrap();
        let owner = &object["metadata"]["ownerReferences"][0];
        assert_eq!(owner["uid"], service["metadata"]["uid"], "{request}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_what_was_refused() {
    let api = Api::default();
    api.fail_next(403, "services \"basic\" is forbidden: exceeded quota: small");
    let refused = apply(&api).await.err().unwrap().to_string();
    assert!(
        refused.starts_with("the Kubernetes API refused to apply the Service basic"),
        "{refused}"
    );
    assert!(refused.ends_with("exceeded quota: small"), "{refused}");
}

#[tokio::test]
async fn a_service_that_leads_nowhere_is_told_and_no_pod_is_made() {
    let api = Api::default();
    api.admit_by(|object| {
        if object["kind"] == "Service" {
            object["spec"]["clusterIP"] = json!("None");
        }
    });
    let error = apply(&api).await.err().unwrap();
    assert!(error.to_string().contains("has no address (clusterIP is None)"), "{error}");
    assert!(!error.is_passing());
    let requests = api.requests();
    assert!(!requests.iter().any(|made| made.contains("/deployments/")), "{requests:?}");
}
