//! The manifests of one chaincode, held by golden files.

use k8s_openapi::api::core::v1::Toleration;
use k8s_openapi::serde::Serialize;
use selvedge_config::{Operator, PeerNode, Subject};
use serde_json::json;

use super::*;
use crate::launch::{LaunchTarget, ReplicaCredentials};
use selvedge_buildpack::content::PackageContent;
use selvedge_buildpack::language::Language;
use selvedge_buildpack::shim::{Security, Server, ServerPort, Shim};

const PACKAGE_ID: &str =
    "basic_1.0:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct Scene {
    identity: Identity,
    command: Option<ImageCommand>,
    plan: LaunchPlan,
    peer: PeerPod,
    proxy: IpAddr,
    settings: Chaincode,
    owner: OwnerReference,
    pull_secrets: [String; 2],
    pull_login: Option<PullLogin>,
}

fn plan(identity: &Identity, shim: Shim) -> LaunchPlan {
    plan_of(PackageContent::Code(Language::Golang), identity, shim)
}

fn plan_of(content: PackageContent, identity: &Identity, shim: Shim) -> LaunchPlan {
    LaunchPlan::in_pod(
        &LaunchTarget {
            content,
            shim,
            package_id: PACKAGE_ID,
            msp_id: "Org1MSP",
            address: &format!("{}:{PROXY_PORT}", identity.host()),
            root: "",
        },
        &ReplicaCredentials {
            certificate: "certificate".into(),
            key: "key".into(),
            root: "root".into(),
        },
        [10, 1, 2, 3].into(),
    )
}

impl Scene {
    fn new(peer_node: PeerNode) -> Self {
        let identity = Identity::new("chaincode", PACKAGE_ID, "Org1MSP", "org1.peer0-0");
        let plan = plan(&identity, Shim::Dials);
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
        let settings = Chaincode { peer_node, ..Chaincode::default() };
        let owner = OwnerReference {
            api_version: "apps/v1".into(),
            kind: "StatefulSet".into(),
            name: "peer0".into(),
            uid: "57a7e".into(),
            ..OwnerReference::default()
        };
        let entrypoint = vec!["/usr/local/bin/chaincode".to_owned()];
        Self {
            identity,
            command: Some(ImageCommand { entrypoint, cmd: Vec::new() }),
            plan,
            peer,
            proxy: [10, 1, 2, 3].into(),
            settings,
            owner,
            pull_secrets: ["registry".into(), "company".into()],
            pull_login: None,
        }
    }

    fn blueprint(&self) -> Blueprint<'_> {
        Blueprint {
            identity: &self.identity,
            image: "registry.example/org1/chaincode@sha256:0123",
            command: self.command.as_ref(),
            plan: &self.plan,
            credentials: "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
            generation: 1,
            proxy: SocketAddr::new(self.proxy, 40123),
            peer: &self.peer,
            settings: &self.settings,
            pods: pods_at_rest(&self.settings),
            launcher_image: "registry.example/selvedge/launcher:1",
            pull_secrets: &self.pull_secrets,
            pull_login: self.pull_login.as_ref(),
            owner: Some(&self.owner),
        }
    }
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
    let scene = Scene::new(PeerNode::Required);
    let blueprint = scene.blueprint();
    let service = applied(blueprint.service());
    let (owner, address) = (owner(&service), address(&service).unwrap());
    golden("service.yaml", &blueprint.service());
    golden("secret.yaml", &blueprint.secret(&owner));
    golden("endpoint-slice.yaml", &blueprint.endpoint_slice(&owner));
    golden("network-policy.yaml", &blueprint.network_policy(&owner, &service));
    golden("deployment.yaml", &blueprint.deployment(&owner, address).unwrap().deployment);
    assert_eq!(blueprint.disruption_budget(&owner), None, "its one pod could never be evicted");
}

#[test]
fn nodes_log_in_where_the_launcher_is_the_registry() {
    let mut scene = Scene::new(PeerNode::Required);
    assert_eq!(scene.blueprint().pull_secret(&scene.owner), None);
    scene.pull_login = Some(PullLogin {
        registry: "localhost:30500".into(),
        user: "node".into(),
        password: "password".into(),
    });
    let blueprint = scene.blueprint();
    let service = applied(blueprint.service());
    let (owner, address) = (owner(&service), address(&service).unwrap());
    golden("pull-secret.yaml", &blueprint.pull_secret(&owner));
    let pods = blueprint.deployment(&owner, address).unwrap().deployment.spec.unwrap().template;
    let secrets = pods.spec.unwrap().image_pull_secrets.unwrap();
    let names: Vec<_> = secrets.into_iter().map(|secret| secret.name).collect();
    let own = format!("{}-pull", scene.identity.name);
    assert_eq!(names, [&own, "registry", "company"]);
}

#[test]
fn one_that_listens_is_reached_by_its_proxy_alone() {
    let mut scene = Scene::new(PeerNode::Required);
    scene.plan = plan(&scene.identity, Shim::listens(Security::Tls));
    let blueprint = scene.blueprint();
    let service = applied(blueprint.service());
    let (owner, address) = (owner(&service), address(&service).unwrap());
    golden("listening-network-policy.yaml", &blueprint.network_policy(&owner, &service));
    let deployment = blueprint.deployment(&owner, address).unwrap().deployment;
    let pod = deployment.spec.unwrap().template.spec.unwrap();
    golden("listening-container.yaml", &pod.containers[0]);

    // An image of somebody else's may look elsewhere for its certificate, and has files there.
    scene.plan = plan_of(PackageContent::Image, &scene.identity, Shim::listens(Security::Tls));
    let blueprint = scene.blueprint();
    let kept = blueprint.secret(&owner).data.unwrap();
    let deployment = blueprint.deployment(&owner, address).unwrap().deployment;
    let pod = deployment.spec.unwrap().template.spec.unwrap();
    let mounts = pod.containers[0].volume_mounts.as_ref().unwrap();
    golden("listening-image-mounts.yaml", mounts);
    for path in mounts.iter().filter_map(|mount| mount.sub_path.as_ref()) {
        assert!(kept.contains_key(path), "{path}");
    }
}

#[test]
fn one_that_listens_at_a_port_of_its_own_is_reached_there() {
    let mut scene = Scene::new(PeerNode::Required);
    let mut of = |port: Option<u64>| {
        let port = port.map(|number| ServerPort::new(number).unwrap());
        let shim = Shim::Listens(Server { security: Security::Plain, port });
        scene.plan = plan_of(PackageContent::Image, &scene.identity, shim);
        let blueprint = scene.blueprint();
        let service = applied(blueprint.service());
        let (owner, address) = (owner(&service), address(&service).unwrap());
        let policy = blueprint.network_policy(&owner, &service);
        let deployment = blueprint.deployment(&owner, address).unwrap().deployment;
        serde_json::to_string(&(policy, deployment)).unwrap()
    };
    let told = of(None);
    assert!(told.contains("0.0.0.0:9999") && told.contains("--server-port=9999"), "{told}");
    assert_eq!(of(Some(7000)), told.replace("9999", "7000"));
}

#[test]
fn golden_affinities() {
    for (affinity, name) in
        [(PeerNode::Preferred, "affinity-preferred.yaml"), (PeerNode::None, "affinity-none.yaml")]
    {
        let scene = Scene::new(affinity);
        let service = applied(scene.blueprint().service());
        let address = address(&service).unwrap();
        let deployed = scene.blueprint().deployment(&owner(&service), address).unwrap();
        let deployment = deployed.deployment;
        golden(name, &deployment.spec.unwrap().template.spec.unwrap().affinity);
    }
}

#[test]
fn an_address_of_the_new_kind_is_told_as_such() {
    let mut scene = Scene::new(PeerNode::Required);
    scene.proxy = "fd00::7".parse().unwrap();
    let service = applied(scene.blueprint().service());
    let owner = owner(&service);
    assert_eq!(scene.blueprint().endpoint_slice(&owner).address_type, "IPv6");
    let policy = serde_json::to_string(&scene.blueprint().network_policy(&owner, &service));
    assert!(policy.unwrap().contains("fd00::7/128"));
}

#[test]
fn a_service_without_an_address_is_refused() {
    let mut service = applied(Scene::new(PeerNode::Required).blueprint().service());
    for (found, told) in [(Some("None"), "None"), (Some(""), ""), (None, "missing")] {
        service.spec.get_or_insert_default().cluster_ip = found.map(String::from);
        let refused = address(&service).unwrap_err().to_string();
        let expected =
            format!("the Service basic-1-0-1a0378ced9 has no address (clusterIP is {told}");
        assert!(refused.starts_with(&expected), "{refused}");
    }
}

/// How chaincode runs by what stands below `chaincode` in a file.
fn said(chaincode: &str) -> Chaincode {
    let text = format!("apiVersion: selvedge/v1\nbackend: kubernetes\nchaincode:\n{chaincode}");
    let operator = Operator::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    let subject = Subject { label: "basic_1.0".into(), msp: "m".into(), peer: "p".into() };
    operator.chaincode(&subject).unwrap()
}

#[test]
fn all_that_an_operator_can_say() {
    let mut scene = Scene::new(PeerNode::Required);
    scene.settings = said(include_str!("../../tests/settings.yaml"));
    let blueprint = scene.blueprint();
    let service = applied(blueprint.service());
    let (owner, address) = (owner(&service), address(&service).unwrap());
    let Deployed { deployment, lifted } = blueprint.deployment(&owner, address).unwrap();
    golden("settings-deployment.yaml", &deployment);
    golden("settings-network-policy.yaml", &blueprint.network_policy(&owner, &service));
    golden("settings-disruption-budget.yaml", &blueprint.disruption_budget(&owner).unwrap());
    let lifted: Vec<String> = lifted.iter().map(ToString::to_string).collect();
    assert_eq!(lifted, ["shareProcessNamespace at spec.shareProcessNamespace"]);
}

#[test]
fn an_overlay_that_does_too_much_makes_no_pods() {
    let mut scene = Scene::new(PeerNode::Required);
    for (overlay, told) in [
        ("spec: {hostNetwork: true}", "`hostNetwork` in `allow` permits it"),
        ("spec: {containers: [{name: chaincode, $patch: delete}]}", "nothing permits it"),
        (
            "spec: {volumes: [{name: node, hostPath: {path: /}}]}",
            "`hostPath` in `allow` permits it",
        ),
        (
            "spec: {containers: [{name: shell, image: busybox, securityContext: {privileged: true}}]}",
            "`privileged` in `allow` permits it",
        ),
        ("spec: {containers: [{image: busybox}]}", "name"),
    ] {
        scene.settings = said(&format!("  podTemplate:\n    {overlay}\n"));
        let blueprint = scene.blueprint();
        let service = applied(blueprint.service());
        let refused = blueprint.deployment(&owner(&service), address(&service).unwrap());
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(told), "{overlay}: {refused}");
    }
}

/// Whether a keeper starts the chaincode.
fn is_kept(scene: &Scene) -> bool {
    let blueprint = scene.blueprint();
    let service = applied(blueprint.service());
    let deployed = blueprint.deployment(&owner(&service), address(&service).unwrap()).unwrap();
    let pod = serde_json::to_value(deployed.deployment.spec.unwrap().template.spec).unwrap();
    let found =
        ["/initContainers/0/args/2", "/volumes/2/name", "/containers/0/volumeMounts/2/name"];
    let found = found.map(|pointer| pod.pointer(pointer).is_some());
    let container = &pod["containers"][0];
    let is_started = container["command"][0] == "/selvedge/keeper";
    assert!(found.iter().all(|part| *part == is_started), "{pod:#}");
    // Of what is started without, nothing else is said than before there were keepers.
    assert!(container["args"] == json!(scene.plan.arguments), "{pod:#}");
    is_started
}

#[test]
fn a_keeper_starts_what_the_image_would_have_started_and_nothing_else() {
    let mut scene = Scene::new(PeerNode::Required);
    for (overlay, kept) in [
        ("spec: {containers: [{name: chaincode, workingDir: /tmp}]}", true),
        ("spec: {containers: [{name: chaincode, image: other}]}", false),
        ("spec: {containers: [{name: chaincode, command: [sh]}]}", false),
        ("spec: {initContainers: [{name: proxy-reached, image: other, args: []}]}", false),
    ] {
        let allow = "  allow: [chaincodeCommand, chaincodeImage, gate]\n";
        scene.settings = said(&format!("  podTemplate:\n    {overlay}\n{allow}"));
        assert_eq!(is_kept(&scene), kept, "{overlay}");
    }
    scene.settings = Chaincode::default();
    assert!(is_kept(&scene));
    scene.command = None;
    assert!(!is_kept(&scene), "nobody knows what the image starts");
}

#[test]
fn a_keeper_can_be_ordered_to_kill_where_its_pod_alone_is_at_the_port() {
    let mut scene = Scene::new(PeerNode::Required);
    let takes_orders = |scene: &Scene| {
        let blueprint = scene.blueprint();
        let service = applied(blueprint.service());
        let (owner, address) = (owner(&service), address(&service).unwrap());
        let deployed = blueprint.deployment(&owner, address).unwrap().deployment;
        let pod = deployed.spec.unwrap().template.spec.unwrap();
        let command = pod.containers[0].command.clone().unwrap_or_default();
        let policy = serde_json::to_string(&blueprint.network_policy(&owner, &service)).unwrap();
        let takes = takes_orders_to_kill(&pod);
        assert_eq!(command.iter().any(|word| word.starts_with("--orders")), takes, "{command:?}");
        assert!(!takes || policy.contains("9998"), "{policy}");
        takes
    };
    assert!(takes_orders(&scene));
    for (overlay, takes) in [
        ("hostNetwork: true", false),
        ("containers: [{name: chaincode, command: [sh]}]", false),
        ("containers: [{name: chaincode, workingDir: /tmp}]", true),
    ] {
        let allow = "  allow: [chaincodeCommand, hostNetwork]\n";
        scene.settings = said(&format!("  podTemplate: {{spec: {{{overlay}}}}}\n{allow}"));
        assert_eq!(takes_orders(&scene), takes, "{overlay}");
    }
    scene.settings = said(FUNCTION);
    let blueprint = scene.blueprint();
    let service = applied(blueprint.service());
    let deployed = blueprint.deployment(&owner(&service), address(&service).unwrap()).unwrap();
    let pod = deployed.deployment.spec.unwrap().template.spec.unwrap();
    assert!(!takes_orders_to_kill(&pod), "it is told when to end, too");

    scene.settings = Chaincode::default();
    scene.plan.port = Some(KEEPER_PORT);
    assert!(!takes_orders(&scene), "the chaincode itself is there");
    scene.plan.port = None;
    scene.command = None;
    assert!(!takes_orders(&scene), "there is no keeper");
}

/// What makes a chaincode a function.
const FUNCTION: &str = "  execution: function\n  function: {maxReplicas: 4}\n";

#[test]
fn a_function_has_keepers_that_are_told_when_it_is_to_run() {
    let mut scene = Scene::new(PeerNode::Required);
    scene.settings = said(FUNCTION);
    let blueprint = scene.blueprint();
    let service = applied(blueprint.service());
    let (owner, address) = (owner(&service), address(&service).unwrap());
    golden("function-network-policy.yaml", &blueprint.network_policy(&owner, &service));
    let deployment = blueprint.deployment(&owner, address).unwrap().deployment.spec.unwrap();
    assert_eq!(deployment.replicas, Some(4), "each process has a pod of its own");
    golden("function-container.yaml", &deployment.template.spec.unwrap().containers[0]);
    assert!(blueprint.disruption_budget(&owner).is_some(), "one keeper is always there");

    scene.settings = said("  execution: function\n  function: {keep: nothing, maxReplicas: 4}\n");
    let blueprint = scene.blueprint();
    let deployment = blueprint.deployment(&owner, address).unwrap().deployment;
    assert_eq!(deployment.spec.unwrap().replicas, Some(0));
    assert_eq!(blueprint.disruption_budget(&owner), None, "what has answered is missed by nobody");
}

#[test]
fn what_no_keeper_can_start_is_no_function() {
    let mut scene = Scene::new(PeerNode::Required);
    let refused = |scene: &Scene| {
        let blueprint = scene.blueprint();
        let service = applied(blueprint.service());
        let refused = blueprint.deployment(&owner(&service), address(&service).unwrap());
        let refused = refused.unwrap_err().to_string();
        assert!(refused.ends_with("or say `execution: service`"), "{refused}");
        refused
    };
    for (overlay, allow, told) in [
        ("containers: [{name: chaincode, command: [sh]}]", "chaincodeCommand", "another image"),
        ("hostNetwork: true", "hostNetwork", "leave `hostNetwork` out"),
    ] {
        let overlay = format!("  podTemplate: {{spec: {{{overlay}}}}}\n  allow: [{allow}]\n");
        scene.settings = said(&[FUNCTION, &overlay].concat());
        let refused = refused(&scene);
        assert!(refused.contains(told), "{refused}");
    }
    scene.settings = said(FUNCTION);
    scene.plan.port = Some(KEEPER_PORT);
    assert!(refused(&scene).contains("listens at port 9998"));
    scene.command = None;
    assert!(refused(&scene).contains("what its image starts is not known"));
}

#[test]
fn a_pod_has_the_time_that_its_keeper_gives_transactions() {
    let mut scene = Scene::new(PeerNode::Required);
    let grace = |scene: &Scene| {
        let blueprint = scene.blueprint();
        let service = applied(blueprint.service());
        let deployed = blueprint.deployment(&owner(&service), address(&service).unwrap()).unwrap();
        let pod = deployed.deployment.spec.unwrap().template.spec.unwrap();
        pod.termination_grace_period_seconds.unwrap()
    };
    scene.settings = said("  timeouts: {drain: 1500ms}\n");
    assert_eq!(grace(&scene), 5);
    scene.command = None;
    assert_eq!(grace(&scene), 2);
}

#[test]
fn each_term_of_an_affinity_names_the_node() {
    let mut scene = Scene::new(PeerNode::Required);
    scene.settings = said(
        "  affinity:\n    nodeAffinity:\n      requiredDuringSchedulingIgnoredDuringExecution:\n        \
         nodeSelectorTerms:\n          - matchExpressions: [{key: disk, operator: Exists}]\n          \
         - matchExpressions: [{key: zone, operator: In, values: [a]}]\n",
    );
    let service = applied(scene.blueprint().service());
    let deployed =
        scene.blueprint().deployment(&owner(&service), address(&service).unwrap()).unwrap();
    let deployment = serde_json::to_value(deployed.deployment).unwrap();
    let terms = deployment
        .pointer(
            "/spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution\
             /nodeSelectorTerms",
        )
        .unwrap();
    let named = json!([{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]);
    for term in terms.as_array().unwrap() {
        assert_eq!(term["matchFields"], named);
    }
    assert_eq!(terms.as_array().unwrap().len(), 2);
}
