//! `selvedge render`: the manifests that a package and an operator's file come to.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use crafted::{Crafted, package};
use golden::golden_text;
use serde_json::Value;

use crate::{GO_MOD, MAIN_GO, METADATA, check, command, selvedge};

/// The crate's golden files, a package and an operator's file among them.
const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

fn rendered(more: &[&str]) -> Output {
    let arguments = ["render", "basic_1.0.tar.gz", "--config", "selvedge.yaml"];
    selvedge(Path::new(GOLDENS), &[&arguments[..], more].concat())
}

fn text(output: &Output) -> &str {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::str::from_utf8(&output.stdout).unwrap()
}

/// The objects of a stream, in its order.
fn objects(output: &Output) -> Vec<Value> {
    serde_saphyr::from_multiple(text(output)).unwrap()
}

/// What there is of chaincode with several replicas, in its order.
const KINDS: [&str; 6] =
    ["Service", "Secret", "EndpointSlice", "NetworkPolicy", "PodDisruptionBudget", "Deployment"];

#[test]
fn what_would_be_applied_is_told_without_a_cluster() {
    let more = ["--msp", "Org1MSP", "--peer", "peer0-0", "--namespace", "fabric"];
    let output = rendered(&more);
    golden_text("tests/golden/render.yaml", text(&output));
    assert_eq!(text(&rendered(&more)), text(&output), "the same each time");

    let kinds: Vec<Value> = objects(&output).iter().map(|object| object["kind"].clone()).collect();
    assert_eq!(kinds, KINDS);
    let inspected = selvedge(Path::new(GOLDENS), &["inspect", "--json", "basic_1.0.tar.gz"]);
    let report: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    for object in objects(&output) {
        let metadata = &object["metadata"];
        assert_eq!(metadata["annotations"]["selvedge.dev/package-id"], report["package_id"]);
        assert_eq!(metadata["namespace"], "chaincode", "as the file says");
        assert_eq!(metadata["ownerReferences"], Value::Null);
    }
    let json: Value =
        serde_json::from_str(text(&rendered(&[&more[..], &["--json"]].concat()))).unwrap();
    assert_eq!((&json["kind"], &json["apiVersion"]), (&"List".into(), &"v1".into()));
    assert_eq!(json["items"].as_array().unwrap(), &objects(&output));
}

#[test]
fn what_is_known_takes_the_place_of_its_placeholder() {
    let pod = ["--peer-pod", "pod.yaml"];
    let output = rendered(&pod);
    let [_, _, slice, policy, _, deployment] = &objects(&output)[..] else { panic!("six objects") };
    assert_eq!(slice["endpoints"][0]["addresses"][0], "10.1.2.3");
    assert_eq!(slice["endpoints"][0]["nodeName"], "node-1");
    assert_eq!(slice["metadata"]["labels"]["selvedge.dev/peer"], "chaincode.peer");
    let to_peer = &policy["spec"]["egress"][0]["to"][1]["podSelector"]["matchLabels"];
    assert_eq!(to_peer, &serde_json::json!({"app": "peer0"}));
    let spec = &deployment["spec"]["template"]["spec"];
    assert_eq!(
        spec["imagePullSecrets"],
        serde_json::json!([{"name": "registry"}, {"name": "company"}])
    );
    let keys: Vec<&Value> =
        spec["tolerations"].as_array().unwrap().iter().map(|one| &one["key"]).collect();
    assert_eq!(keys, ["dedicated", "spot"]);
    // The operator's file comes before the pod.
    assert_eq!(spec["initContainers"][0]["image"], "registry.example.com/selvedge/launcher:1");
    let comments = text(&output).lines().filter(|line| line.starts_with("# Placeholder: "));
    let comments: Vec<&str> = comments.filter_map(|line| line.split([':', ',']).nth(1)).collect();
    assert_eq!(
        comments,
        [
            " the address of the Service",
            " the port of the proxy",
            " the image's digest",
            " certificates and keys"
        ]
    );

    let known = [
        "--service-address",
        "10.96.0.7",
        "--proxy",
        "10.1.2.3:35001",
        "--node",
        "node-2",
        "--image",
        "registry.example.com/fabric/chaincode@sha256:0123",
        "--launcher-image",
        "launcher:2",
    ];
    let output = rendered(&[&pod[..], &known].concat());
    let comments = text(&output).lines().filter(|line| line.starts_with("# Placeholder: "));
    assert_eq!(comments.count(), 1, "certificates and keys");
    let [_, _, slice, policy, _, deployment] = &objects(&output)[..] else { panic!("six objects") };
    assert_eq!(slice["ports"][0]["port"], 35001);
    assert_eq!(slice["endpoints"][0]["nodeName"], "node-2");
    assert_eq!(policy["spec"]["egress"][1]["to"][0]["ipBlock"]["cidr"], "10.96.0.7/32");
    let spec = &deployment["spec"]["template"]["spec"];
    assert_eq!(spec["hostAliases"][0]["ip"], "10.96.0.7");
    assert_eq!(spec["containers"][0]["image"], "registry.example.com/fabric/chaincode@sha256:0123");
    assert_eq!(spec["initContainers"][0]["image"], "launcher:2");

    let file = fs::File::open(Path::new(GOLDENS).join("pod.yaml")).unwrap();
    let arguments = ["render", "basic_1.0.tar.gz", "-c", "selvedge.yaml", "--peer-pod", "-"];
    let of_stdin =
        command(Path::new(GOLDENS), &arguments).stdin(Stdio::from(file)).output().unwrap();
    assert_eq!(of_stdin.stdout, rendered(&pod).stdout);
}

#[test]
fn texts_that_look_like_something_else_stay_texts() {
    let directory = tempfile::tempdir().unwrap();
    fs::copy(Path::new(GOLDENS).join("basic_1.0.tar.gz"), directory.path().join("p")).unwrap();
    let texts = [
        "yes",
        "off",
        "null",
        "~",
        "1e3",
        "0x1F",
        "010",
        "2001-01-01",
        "1:30",
        "a: b",
        "- a",
        "",
        " a ",
        "'\"",
        "#",
        "line\nline\n",
        "\u{1b}[1m",
        "\u{2028}",
        "<<",
        "=",
        ".5",
        "é",
    ];
    let environment: serde_json::Map<String, Value> =
        texts.iter().enumerate().map(|(n, text)| (format!("V{n}"), (*text).into())).collect();
    let file = serde_json::json!({"apiVersion": "selvedge/v1", "backend": "kubernetes",
        "chaincode": {"environment": environment}});
    fs::write(directory.path().join("f"), file.to_string()).unwrap();
    let output = selvedge(directory.path(), &["render", "p", "--config", "f"]);
    let all = objects(&output);
    let variables = all[4]["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
    for (n, text) in texts.iter().enumerate() {
        let variable = variables.iter().find(|variable| variable["name"] == format!("V{n}"));
        assert_eq!(variable.unwrap()["value"], *text);
    }
    assert!(!output.stdout.contains(&0x1b), "a terminal would obey it");
}

#[test]
fn what_makes_no_manifests() {
    let directory = tempfile::tempdir().unwrap();
    let write =
        |name: &str, content: &[u8]| fs::write(directory.path().join(name), content).unwrap();
    write("good", &fs::read(Path::new(GOLDENS).join("basic_1.0.tar.gz")).unwrap());
    let files = || [Crafted::file("src/go.mod", GO_MOD), Crafted::file("src/main.go", MAIN_GO)];
    write("rust", &package(&METADATA.replace("golang", "rust"), files()));
    write("none", b"no package");
    write("right", b"apiVersion: selvedge/v1\nbackend: kubernetes\n");
    write("local", b"apiVersion: selvedge/v1\n");
    write(
        "wrong",
        b"apiVersion: selvedge/v1\nbackend: kubernetes\nchaincode:\n  tmp: x\n  replcas: 2\n",
    );
    write(
        "bare",
        b"apiVersion: selvedge/v1\nbackend: kubernetes\nchaincode: {podTemplate: {spec: {hostPID: true}}}\n",
    );
    for (package, file, told) in [
        ("rust", "right", &["error: rust would be refused\n", "type `rust`; Selvedge takes"][..]),
        (
            "none",
            "right",
            &["error: none would be refused\n  by the peer: package: not a gzip file\n"],
        ),
        ("absent", "right", &["error: cannot read absent: No such file"]),
        ("good", "absent", &["error: cannot read absent: No such file"]),
        ("good", "local", &["error: local is for the `local` backend", "`backend: kubernetes`"]),
        (
            "good",
            "wrong",
            &["error: wrong is not right:\nwrong:4:8: chaincode.tmp:", "\nwrong:5:3: "],
        ),
        (
            "good",
            "bare",
            &["bare:3:43: chaincode.podTemplate.spec.hostPID: ", "`hostPID` in `allow`"],
        ),
    ] {
        let output = selvedge(directory.path(), &["render", package, "--config", file]);
        check(&output, 1, &[], told);
    }
    let good = ["render", "good", "--config", "right"];
    for (more, code, told) in [
        (&["--peer-pod", "right"][..], 1, "error: right is no pod"),
        (&["--peer-pod", "absent"], 1, "error: cannot read absent"),
        (&["--namespace", "Not_OK"], 2, "expected a namespace: lower-case letters"),
        (&["--service-address", "x"], 2, "invalid IP address"),
        (&["--proxy", "10.0.0.1"], 2, "invalid socket address"),
        (&["--config", "right"], 2, "cannot be used multiple times"),
    ] {
        check(&selvedge(directory.path(), &[&good[..], more].concat()), code, &[], &[told]);
    }
    let twice = ["render", "good", "--config", "-", "--peer-pod", "-"];
    check(&selvedge(directory.path(), &twice), 1, &[], &["standard input is either"]);
}
