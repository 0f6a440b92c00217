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

#[test]
fn it_gives_chaincode_a_namespace_of_its_own() {
    assert_same(&[], Way::OwnNamespace);
}

#[test]
fn it_has_chaincode_run_in_its_peers_namespace_if_told_to() {
    assert_same(&["chaincode.namespace=org1"], Way::SameNamespace);
}

#[test]
fn what_the_operator_says_is_over_the_manifests_file_and_the_namespace_stays() {
    let manifests = Manifests::new();
    let values = ["config.registry.address=registry.example.org/own", "serviceAccount=peers"];
    let mut objects = manifests.charted(&values).objects();
    let file = take(&mut objects, "ConfigMap", "selvedge-config");
    let file = file["data"]["selvedge.yaml"].as_str().unwrap();
    let operator = selvedge_config::Operator::read(file.as_bytes()).unwrap();
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
