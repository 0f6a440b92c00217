//! The manifests of one chaincode, held by golden files.

use k8s_openapi::api::core::v1::Toleration;
use k8s_openapi::serde::Serialize;

use super::*;
use crate::launch::{Language, LaunchTarget, ReplicaCredentials};

const PACKAGE_ID: &str =
    "basic_1.0:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct Scene {
    identity: Identity,
    plan: LaunchPlan,
    peer: PeerPod,
    proxy: IpAddr,
    shape: PodShape,
    owner: OwnerReference,
}

impl Scene {
    fn new(affinity: Affinity) -> Self {
        let identity = Identity::new("chaincode", PACKAGE_ID, "Org1MSP", "org1.peer0-0");
        let address = format!("{}:{PROXY_PORT}", identity.host());
        let plan = LaunchPlan::new(
            &LaunchTarget {
                language: Language::Golang,
                package_id: PACKAGE_ID,
                msp_id: "Org1MSP",
                address: &address,
                root: "",
            },
            &ReplicaCredentials {
                certificate: "certificate".into(),
                key: "key".into(),
                root: "root".into(),
            },
        );
        let peer = PeerPod {
            namespace: "org1".into(),
            node: "node-1".into(),
            labels: [("app".to_owned(), "peer0".to_owned())].into(),
            tolerations: vec![Toleration {
                key: Some("dedicated".into()),
                operator: Some("Equal".into()),
                value: Some("fabric".into()),
                effect: Some("NoSchedule".into()),
                ..Toleration::default()
            }],
        };
        let shape = PodShape {
            affinity,
            requests: quantities(&[("cpu", "50m"), ("memory", "64Mi")]),
            limits: quantities(&[("memory", "512Mi")]),
            tmp: "64Mi".into(),
            launcher_image: "registry.example/selvedge/launcher:1".into(),
            pull_secrets: vec!["registry".into(), "company".into()],
        };
        let owner = OwnerReference {
            api_version: "apps/v1".into(),
            kind: "StatefulSet".into(),
            name: "peer0".into(),
            uid: "57a7e".into(),
            ..OwnerReference::default()
        };
        Self { identity, plan, peer, proxy: [10, 1, 2, 3].into(), shape, owner }
    }

    fn blueprint(&self) -> Blueprint<'_> {
        Blueprint {
            identity: &self.identity,
            image: "registry.example/org1/chaincode@sha256:0123",
            plan: &self.plan,
            credentials: "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
            generation: 1,
            proxy: SocketAddr::new(self.proxy, 40123),
            peer: &self.peer,
            shape: &self.shape,
            owner: Some(&self.owner),
        }
    }
}

fn quantities(amounts: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    let quantity = |&(resource, amount): &(&str, &str)| {
        (String::from(resource), Quantity(String::from(amount)))
    };
    amounts.iter().map(quantity).collect()
}

/// A manifest is what its file has.
#[track_caller]
fn golden(name: &str, object: &impl Serialize) {
    golden::golden(format!("tests/golden/{name}"), object);
}

/// The Service as the API gives it back.
fn applied(mut service: Service) -> Service {
    service.metadata.uid = Some("c0ffee".into());
    let spec = service.spec.get_or_insert_default();
    spec.cluster_ip = Some("10.96.0.7".into());
    spec.cluster_ips = Some(vec!["10.96.0.7".into()]);
    service
}

#[test]
fn golden_manifests() {
    let scene = Scene::new(Affinity::Required);
    let blueprint = scene.blueprint();
    let service = applied(blueprint.service());
    let (owner, address) = (owner(&service), address(&service).unwrap());
    golden("service.yaml", &blueprint.service());
    golden("secret.yaml", &blueprint.secret(&owner));
    golden("endpoint-slice.yaml", &blueprint.endpoint_slice(&owner));
    golden("network-policy.yaml", &blueprint.network_policy(&owner, &service));
    golden("deployment.yaml", &blueprint.deployment(&owner, address));
}

#[test]
fn golden_affinities() {
    for (affinity, name) in
        [(Affinity::Preferred, "affinity-preferred.yaml"), (Affinity::None, "affinity-none.yaml")]
    {
        let scene = Scene::new(affinity);
        let service = applied(scene.blueprint().service());
        let deployment = scene.blueprint().deployment(&owner(&service), address(&service).unwrap());
        golden(name, &deployment.spec.unwrap().template.spec.unwrap().affinity);
    }
}

#[test]
fn an_address_of_the_new_kind_is_told_as_such() {
    let mut scene = Scene::new(Affinity::Required);
    scene.proxy = "fd00::7".parse().unwrap();
    let service = applied(scene.blueprint().service());
    let owner = owner(&service);
    assert_eq!(scene.blueprint().endpoint_slice(&owner).address_type, "IPv6");
    let policy = serde_json::to_string(&scene.blueprint().network_policy(&owner, &service));
    assert!(policy.unwrap().contains("fd00::7/128"));
}

#[test]
fn a_service_without_an_address_is_refused() {
    let mut service = applied(Scene::new(Affinity::Required).blueprint().service());
    for (found, told) in [(Some("None"), "None"), (Some(""), ""), (None, "missing")] {
        service.spec.get_or_insert_default().cluster_ip = found.map(String::from);
        let refused = address(&service).unwrap_err().to_string();
        let expected =
            format!("the Service basic-1-0-1a0378ced9 has no address (clusterIP is {told}");
        assert!(refused.starts_with(&expected), "{refused}");
    }
}
