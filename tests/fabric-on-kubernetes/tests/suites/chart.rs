//! The chart renders what the kustomize components make of a peer.

use serde_json::{Value, json};

use crate::manifests::{Manifests, PEERS, Way};

/// What an object is known by.
fn key(object: &Value) -> [String; 3] {
    ["/kind", "/metadata/namespace", "/metadata/name"]
        .map(|pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().into())
}

fn sorted(mut objects: Vec<Value>) -> Vec<Value> {
    objects.sort_by_key(key);
    objects
}

/// Takes the object of that kind and name out of the others.
fn take(objects: &mut Vec<Value>, kind: &str, name: &str) -> Value {
    let is_it = |object: &Value| object["kind"] == kind && object["metadata"]["name"] == name;
    let place = objects.iter().position(is_it);
    objects.remove(place.unwrap_or_else(|| panic!("no {kind} {name}")))
}

/// The first way in which the object lacks something that the part has. Of lists whose items have
/// names, the part's need only be among the object's.
fn lack(object: &Value, part: &Value, path: &str) -> Option<String> {
    match (object, part) {
        (Value::Object(object), Value::Object(part)) => part.iter().find_map(|(key, part)| {
            lack(object.get(key).unwrap_or(&Value::Null), part, &format!("{path}.{key}"))
        }),
        (Value::Array(objects), Value::Array(parts))
            if parts.iter().all(|it| it["name"] != Value::Null) =>
        {
            parts.iter().find_map(|part| {
                let named = objects.iter().find(|object| object["name"] == part["name"]);
                lack(named.unwrap_or(&Value::Null), part, &format!("{path}.{}", part["name"]))
            })
        }
        _ => (object != part).then(|| format!("{path}: {object} and not {part}")),
    }
}

fn assert_same(values: &[&str], way: Way) {
    let manifests = Manifests::new();
    let mut charted = manifests.charted(&[values, &["chaincode.keep=false"]].concat()).objects();
    let mut kustomized = manifests.kustomized(way).objects();
    let peer = take(&mut kustomized, "StatefulSet", "peer");
    take(&mut kustomized, "Service", "peer");
    let added = take(&mut charted, "ConfigMap", "selvedge-peers");
    if let Way::OwnRegistry = way {
        // The component leaves the file to the operator, and the chart writes it.
        let file = take(&mut charted, "ConfigMap", "selvedge-config");
        let operator = operator(&file);
        assert_eq!(operator.registry().address, None);
        assert_eq!(operator.registry().serve, Some(selvedge_config::Serve::default()));
        take(&mut kustomized, "ConfigMap", "selvedge-config");
    }
    assert_eq!(sorted(charted), sorted(kustomized));

    let mut added: Value =
        serde_saphyr::from_str(added["data"]["peer-attach"].as_str().unwrap()).unwrap();
    if let Way::SameNamespace = way {
        // Said by its name, and not by saying nothing.
        let said = &mut added["spec"]["template"]["spec"]["initContainers"][1]["env"][2];
        assert_eq!(said["value"].take(), PEERS);
        said["value"] = "".into();
    }
    assert_eq!(lack(&peer, &added, ""), None);
    // The component adds nothing but that.
    let count = |object: &Value, list: &str| {
        object["spec"]["template"]["spec"][list].as_array().map_or(0, Vec::len)
    };
    assert_eq!(count(&peer, "initContainers"), count(&added, "initContainers"));
    assert_eq!(count(&peer, "volumes"), count(&added, "volumes") + 3);
}

/// The operator's file in its ConfigMap.
fn operator(config_map: &Value) -> selvedge_config::Operator {
    let file = config_map["data"]["selvedge.yaml"].as_str().unwrap();
    selvedge_config::Operator::read(file.as_bytes()).unwrap()
}

#[test]
fn it_gives_chaincode_a_namespace_of_its_own() {
    assert_same(&[], Way::OwnNamespace);
}

#[test]
fn it_has_chaincode_run_in_its_peers_namespace_if_told_to() {
    assert_same(&["chaincode.namespace=org1"], Way::SameNamespace);
}

#[test]
fn it_has_the_launcher_be_the_registry_if_told_to() {
    assert_same(&["registry.serve=true"], Way::OwnRegistry);
}

#[test]
fn a_registry_has_the_port_and_the_room_that_the_operator_says_and_goes_with_the_rest() {
    let manifests = Manifests::new();
    let values = ["registry.serve=true", "registry.nodePort=30501", "registry.storage=2Gi"];
    let mut objects =
        manifests.charted(&[&values[..], &["config.registry.serve.limit=1GiB"]].concat()).objects();
    let operator = operator(&take(&mut objects, "ConfigMap", "selvedge-config"));
    let serve = operator.registry().serve.clone().unwrap();
    assert_eq!((&*serve.address, serve.limit.as_u64()), ("localhost:30501", 1 << 30));
    let service = take(&mut objects, "Service", "selvedge-registry");
    assert_eq!(service["spec"]["ports"][0]["nodePort"], 30501);
    let claim = take(&mut objects, "PersistentVolumeClaim", "selvedge-registry");
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "2Gi");
    let patches = take(&mut objects, "ConfigMap", "selvedge-peers");
    let patch = |what: &str| -> Value {
        let text = patches["data"][format!("peer-{what}")].as_str().unwrap();
        serde_saphyr::from_str::<Value>(text).unwrap()["spec"]["template"].take()
    };
    let label = json!({ "selvedge.dev/registry": "30501" });
    assert_eq!(patch("attach")["metadata"]["labels"], label);
    assert_eq!(service["spec"]["selector"], label);
    let gone = patch("detach");
    assert_eq!(gone["metadata"], json!({ "labels": { "selvedge.dev/registry": null } }));
    let volumes = gone["spec"]["volumes"].as_array().unwrap();
    assert!(volumes.contains(&json!({ "name": "selvedge-registry", "$patch": "delete" })));
}

#[test]
fn what_the_operator_says_is_over_the_manifests_file_and_the_namespace_stays() {
    let manifests = Manifests::new();
    let values = ["config.registry.address=registry.example.org/own", "serviceAccount=peers"];
    let mut objects = manifests.charted(&values).objects();
    let file = take(&mut objects, "ConfigMap", "selvedge-config");
    let operator = operator(&file);
    assert_eq!(operator.registry().address.as_deref(), Some("registry.example.org/own"));
    assert!(operator.health().address.is_some(), "{file}");
    let namespace = take(&mut objects, "Namespace", "org1-chaincode");
    assert_eq!(namespace["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    for binding in objects.iter().filter(|object| object["kind"] == "RoleBinding") {
        let subjects = json!([{ "kind": "ServiceAccount", "name": "peers", "namespace": PEERS }]);
        assert_eq!(binding["subjects"], subjects);
    }
    assert!(objects.iter().all(|object| object["kind"] != "ServiceAccount"));
    let added = take(&mut objects, "ConfigMap", "selvedge-peers");
    assert!(!added["data"]["peer-attach"].as_str().unwrap().contains("serviceAccountName"));
}
