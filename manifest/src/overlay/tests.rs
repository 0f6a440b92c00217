//! Overlays, held against what Kubernetes makes of them, and those that it would not take.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::merge::{Merged, merged};
use super::*;

/// A template, an overlay and what Kubernetes makes of them. `merge.go`, beside the cases, writes
/// what is merged, by the library that the API server uses.
#[derive(Deserialize)]
struct Case {
    name: String,
    template: Value,
    overlay: Value,
    merged: Value,
}

fn template(of: &Value) -> PodTemplateSpec {
    serde_json::from_value(of.clone()).unwrap()
}

#[test]
fn an_overlay_is_merged_as_kubernetes_merges_it() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../tests/strategic/cases.json")).unwrap();
    for Case { name, template: before, overlay, merged } in cases {
        // Not every template here is whole: what the merge makes is what counts.
        let mut after = before.as_object().unwrap().clone();
        merge::merge(&mut after, overlay.as_object().unwrap());
        assert_eq!(template(&after.into()), template(&merged), "{name}");
        assert_eq!(Overlay::new(&overlay).map(drop), Ok(()), "{name}");
    }
}

/// Kubernetes' own types say by what the items of each list are told apart.
#[test]
fn every_list_of_a_pod_template_is_merged_as_its_type_says() {
    let lists: BTreeMap<String, String> =
        serde_json::from_str(include_str!("../../tests/strategic/lists.json")).unwrap();
    for (path, key) in lists {
        let ours = match merged(path.rsplit('.').next().unwrap()) {
            Some(Merged::By(key)) => key,
            Some(Merged::BySelf) => "=",
            None => "",
        };
        assert_eq!(ours, key, "{path}");
    }
}

fn faults(overlay: &Value) -> Vec<String> {
    match Overlay::new(overlay) {
        Ok(_) => Vec::new(),
        Err(Faults(faults)) => faults.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn what_kubernetes_would_not_take_is_refused_with_its_path() {
    let container = |rest: Value| {
        let mut container = json!({ "name": "chaincode" });
        container.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!({ "spec": { "containers": [container] } })
    };
    let cases = [
        (json!("a text"), "a pod template is expected, with `metadata` and `spec`"),
        (json!({ "sepc": {} }), "sepc: unknown field; did you mean `spec`?"),
        (json!({ "zzz": null }), "zzz: unknown field"),
        (
            container(json!({ "imagePullPolice": "Always" })),
            "spec.containers[0].imagePullPolice: unknown field; did you mean `imagePullPolicy`?",
        ),
        (json!({ "spec": [] }), "spec: a list is not a map"),
        (
            json!({ "metadata": { "annotations": { "a.b/c": true } } }),
            r#"metadata.annotations["a.b/c"]: true is not a string; put it in quotes"#,
        ),
        (
            container(json!({ "env": [{ "name": "A", "value": 1 }] })),
            "spec.containers[0].env[0].value: 1 is not a string; put it in quotes",
        ),
        (
            json!({ "spec": { "hostNetwork": "yes" } }),
            r#"spec.hostNetwork: "yes" is not true or false"#,
        ),
        (
            container(json!({ "ports": [{ "containerPort": 4_294_967_296_i64 }] })),
            "spec.containers[0].ports[0].containerPort: 4294967296 does not fit into 32 bits",
        ),
        (
            container(json!({ "resources": { "limits": { "memory": "64Mx" } } })),
            r#"spec.containers[0].resources.limits.memory: "64Mx" is no quantity; one is written like `500m` or `64Mi`"#,
        ),
        (
            container(json!({ "livenessProbe": { "httpGet": { "port": 8.5 } } })),
            "spec.containers[0].livenessProbe.httpGet.port: 8.5 is not an integer or a string",
        ),
        (
            json!({ "metadata": { "creationTimestamp": "yesterday" } }),
            r#"metadata.creationTimestamp: "yesterday" is no date-time"#,
        ),
        (
            json!({ "spec": { "containers": [{ "image": "i" }] } }),
            "spec.containers[0].name: missing: items of this list are told apart by their `name`",
        ),
        (json!({ "spec": { "containers": [null] } }), "spec.containers[0]: an item cannot be null"),
        (
            container(json!({ "args": [null] })),
            "spec.containers[0].args[0]: an item cannot be null",
        ),
        (
            json!({ "spec": { "affinity": { "$patch": "merge" } } }),
            r#"spec.affinity.$patch: "merge" is none of ["replace","delete"]"#,
        ),
        (
            json!({ "spec": { "containers": [{ "name": "a", "image": "i", "$patch": "replace" }] } }),
            "spec.containers[0].$patch: `$patch: replace` stands in an item of its own, and replaces the list",
        ),
        (
            json!({ "spec": { "tolerations": [{ "key": "a", "$patch": "delete" }] } }),
            "spec.tolerations[0].$patch: this list is replaced as a whole, nothing within it is merged",
        ),
        (
            json!({ "spec": { "volumes": [{ "name": "v", "$retainKeys": ["name"], "emptyDir": {} }] } }),
            "spec.volumes[0].$retainKeys: does not retain `emptyDir`, which is set beside it",
        ),
        (
            json!({ "spec": { "$setElementOrder/containers": [{ "name": "a" }] } }),
            r#"spec["$setElementOrder/containers"]: not supported; the order is that of the list itself"#,
        ),
        (
            json!({ "metadata": { "$deleteFromPrimitiveList/finalizers": ["a"] } }),
            r#"metadata["$deleteFromPrimitiveList/finalizers"]: not supported; take the list away with null, or replace the map it is in"#,
        ),
        (
            json!({ "spec": { "$pach": "delete" } }),
            "spec.$pach: no directive; there are `$patch` and `$retainKeys`",
        ),
    ];
    for (overlay, fault) in cases {
        assert_eq!(faults(&overlay), [fault], "{overlay}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let overlay = json!({ "spec": {
        "hostNetwork": 1,
        "containers": [{ "name": "chaincode", "imag": "i" }, { "args": "a" }],
    } });
    assert_eq!(
        faults(&overlay),
        [
            "spec.containers[0].imag: unknown field; did you mean `image`?",
            "spec.containers[1].args: \"a\" is not a list",
            "spec.containers[1].name: missing: items of this list are told apart by their `name`",
            "spec.hostNetwork: 1 is not true or false",
        ],
    );
}

#[test]
fn what_an_overlay_adds_has_to_be_whole() {
    let before = template(&json!({ "spec": { "containers": [
        { "name": "chaincode", "volumeMounts": [{ "name": "tmp", "mountPath": "/tmp" }] },
    ] } }));
    let over = |mounts: Value| {
        let overlay =
            json!({ "spec": { "containers": [{ "name": "chaincode", "volumeMounts": mounts }] } });
        Overlay::new(&overlay).unwrap().over(&before).map_err(|faults| faults.to_string())
    };
    let merged = over(json!([{ "mountPath": "/tmp", "readOnly": true }])).unwrap();
    let mounts = merged.spec.unwrap().containers.remove(0).volume_mounts.unwrap();
    assert_eq!((mounts[0].name.as_str(), mounts[0].read_only), ("tmp", Some(true)));
    assert_eq!(
        over(json!([{ "mountPath": "/data" }])).unwrap_err(),
        "spec.containers[0].volumeMounts[0].name: missing",
    );
    let emptied = Overlay::new(&json!({ "spec": { "$patch": "delete" } })).unwrap();
    assert_eq!(emptied.over(&before).unwrap_err().to_string(), "spec.containers: missing");
}

#[test]
fn amounts_and_ports_may_be_written_as_numbers() {
    let overlay = json!({ "spec": { "containers": [{
        "name": "chaincode",
        "resources": { "limits": { "cpu": 1, "memory": 1.5e9 }, "requests": { "cpu": "0.5" } },
        "livenessProbe": { "tcpSocket": { "port": 7052 } },
    }] } });
    let merged = Overlay::new(&overlay).unwrap().over(&PodTemplateSpec::default()).unwrap();
    let resources = merged.spec.unwrap().containers.remove(0).resources.unwrap();
    assert_eq!(resources.limits.unwrap()["cpu"].0, "1");
}

#[test]
fn an_item_may_take_the_place_of_one_that_is_deleted() {
    let before = template(&json!({ "spec": { "containers": [
        { "name": "chaincode", "env": [{ "name": "A", "value": "1" }] },
    ] } }));
    let source = json!({ "fieldRef": { "fieldPath": "spec.nodeName" } });
    let overlay = json!({ "spec": { "containers": [{ "name": "chaincode", "env": [
        { "name": "A", "$patch": "delete" },
        { "name": "A", "valueFrom": source },
    ] }] } });
    let merged = Overlay::new(&overlay).unwrap().over(&before).unwrap();
    let env = merged.spec.unwrap().containers.remove(0).env.unwrap();
    assert_eq!((env.len(), &env[0].value), (1, &None));
}

#[test]
fn no_overlay_changes_nothing() {
    let before = template(&json!({ "spec": { "containers": [{ "name": "chaincode" }] } }));
    for none in [json!(null), json!({}), json!({ "spec": null })] {
        let merged = Overlay::new(&none).unwrap().over(&before).unwrap();
        let left = if none == json!({ "spec": null }) { None } else { before.spec.clone() };
        assert_eq!(merged.spec, left, "{none}");
    }
}
