//! Packages that name an image instead of holding code.

use std::fs;

use serde_json::Value;

use crate::{check, selvedge};

const DIGEST: &str = "sha256:802c336235cc1e7347e2da36c73fa2e4b6437cfc6f52872674d1e23f23bba63b";

fn image_json() -> String {
    format!("{{\"name\": \"ghcr.io/hyperledger-labs/go-contract\", \"digest\": \"{DIGEST}\"}}\n")
}

#[test]
fn packaged_inspected_and_rendered() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::create_dir(root.join("image")).unwrap();
    fs::write(root.join("image/image.json"), image_json()).unwrap();
    fs::write(root.join("image/notes.txt"), "text").unwrap();
    let named = format!("image       ghcr.io/hyperledger-labs/go-contract@{DIGEST}\n");

    let output = selvedge(root, &["package", "image", "--label", "contract_1.0"]);
    let told = [
        "type        k8s\n",
        &named,
        "went in     1 files",
        "  image.json\n",
        "left out\n  notes.txt (of no use to who runs an image)\n",
    ];
    check(&output, 0, &told, &[]);
    let output = selvedge(root, &["inspect", "contract_1.0.tar.gz"]);
    check(&output, 0, &["type        k8s\n", &named, "nothing speaks against it"], &[]);
    // Nothing is there to compile.
    check(&selvedge(root, &["inspect", "--compile", "contract_1.0.tar.gz"]), 0, &[&named], &[]);

    let json = |arguments: &[&str]| -> Value {
        serde_json::from_slice(&selvedge(root, arguments).stdout).unwrap()
    };
    let report = json(&["inspect", "--json", "contract_1.0.tar.gz"]);
    let image =
        serde_json::json!({ "name": "ghcr.io/hyperledger-labs/go-contract", "digest": DIGEST });
    assert_eq!(report["image"], image);
    assert_eq!(report["metadata"]["type"], "k8s");
    let written = json(&["package", "image", "-l", "contract_1.0", "--force", "--json"]);
    assert_eq!((&written["image"], &written["package_id"]), (&image, &report["package_id"]));

    let file = "apiVersion: selvedge/v1\nbackend: kubernetes\nregistry: {address: \
                registry.example.com/selvedge, rewrites: [{from: ghcr.io, to: \
                mirror.example.com/hub}]}\n";
    fs::write(root.join("selvedge.yaml"), file).unwrap();
    let render = ["render", "contract_1.0.tar.gz", "-c", "selvedge.yaml"];
    let rendered = selvedge(root, &render);
    let image = format!("image: mirror.example.com/hub/hyperledger-labs/go-contract@{DIGEST}\n");
    check(&rendered, 0, &[&image, "name: CORE_PEER_ADDRESS"], &[]);
    let text = String::from_utf8_lossy(&rendered.stdout);
    assert!(!text.contains("-peer.address") && !text.contains("the image's digest"), "{text}");
}

#[test]
fn one_that_listens_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let file = "apiVersion: selvedge/v1\nbackend: kubernetes\n";
    fs::write(root.join("selvedge.yaml"), file).unwrap();
    for (said, told, json, port) in [
        ("true", "with TLS", serde_json::json!({ "tls": true }), 9999),
        ("{\"tls\": false}", "without TLS", serde_json::json!({ "tls": false }), 9999),
        (
            "{\"port\": 7000}",
            "with TLS at port 7000",
            serde_json::json!({ "tls": true, "port": 7000 }),
            7000,
        ),
    ] {
        let listening = image_json().replace('}', &format!(", \"listens\": {said}}}"));
        fs::write(root.join("image.json"), listening).unwrap();
        let named =
            format!("image       ghcr.io/hyperledger-labs/go-contract@{DIGEST}, listens {told}\n");
        let output = selvedge(root, &["package", ".", "-l", "contract_1.0", "--force"]);
        check(&output, 0, &[&named], &[]);
        check(&selvedge(root, &["inspect", "contract_1.0.tar.gz"]), 0, &[&named], &[]);
        let report = selvedge(root, &["inspect", "--json", "contract_1.0.tar.gz"]).stdout;
        let report: Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["image"]["listens"], json);
        let rendered = selvedge(root, &["render", "contract_1.0.tar.gz", "-c", "selvedge.yaml"]);
        let (value, container) =
            (format!("value: 0.0.0.0:{port}\n"), format!("containerPort: {port}\n"));
        check(&rendered, 0, &[&value, &container], &[]);
    }
}

#[test]
fn what_names_no_image_is_refused_before_anybody_installs_it() {
    let directory = tempfile::tempdir().unwrap();
    for (json, reason) in [
        ("{\"name\":\"a\",\"tag\":\"1.0\"}".to_owned(), "has no `digest`"),
        (image_json().replace(DIGEST, "latest"), "has the tag latest as its `digest`"),
        (image_json().replace('}', ", \"listens\": 9999}"), "has `listens`, a number: it is true"),
        (
            image_json().replace('}', ", \"listens\": {\"port\": 443}}"),
            "has a `listens.port` that does not do: 443 is no port of a chaincode's",
        ),
    ] {
        fs::write(directory.path().join("image.json"), &json).unwrap();
        let output = selvedge(directory.path(), &["package", ".", "-l", "contract_1.0"]);
        let told = ["error: ./image.json ", reason];
        check(&output, 1, &[], &told);

        let metadata = r#"{"type":"K8S","label":"contract_1.0"}"#;
        let package = crafted::package(metadata, [crafted::Crafted::file("image.json", json)]);
        fs::write(directory.path().join("made.tgz"), package).unwrap();
        let output = selvedge(directory.path(), &["inspect", "made.tgz"]);
        check(&output, 1, &["by Selvedge: image.json: ", reason], &[]);
    }
}
