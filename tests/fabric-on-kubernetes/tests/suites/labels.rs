//! Every legal label runs, and its objects can be told from others'.

use e2e::{Op, chaincode_dir};
use fabric_on_kubernetes::Fabric;
use serde_json::Value;
use testbed::Definition;

use crate::shared::{MSP_ID, build_ledger, gateway, on_fabric, one, package};

/// The longest label that a peer takes: it builds in a directory `fabric-LABEL-SHA256` with up to
/// ten digits more (`core/container/externalbuilder/externalbuilder.go`, `NewBuildContext`), and
/// names have 255 bytes at most.
const LONGEST: usize = 255 - "fabric-".len() - "-".len() - 64 - 10;

/// What a person selects by, whatever the label is.
fn assert_labels(fabric: &Fabric, name: &str, package_id: &str) {
    let found = ["get", "deployment", name, "-o", "json"];
    let found = fabric.namespace().kubectl(&found).unwrap();
    let found: Value = serde_json::from_str(&found).unwrap();
    let (labels, annotations) = (&found["metadata"]["labels"], &found["metadata"]["annotations"]);
    assert_eq!(annotations["selvedge.dev/package-id"], package_id);
    let (label, hash) = package_id.rsplit_once(':').unwrap();
    for (key, value) in [
        ("app.kubernetes.io/name", "chaincode"),
        ("app.kubernetes.io/instance", name),
        ("app.kubernetes.io/managed-by", "selvedge-launcher"),
        ("selvedge.dev/msp-id", MSP_ID),
        ("selvedge.dev/package-hash", &hash[..32]),
    ] {
        assert_eq!(labels[key], value, "{key} of {package_id}");
    }
    let peer = fabric.peer(MSP_ID);
    let peer = format!("{}.{}", fabric.namespace().name(), peer.pod());
    assert_eq!(labels["selvedge.dev/peer"], *peer);
    let short = labels["selvedge.dev/label"].as_str().unwrap();
    let is_value = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    assert!(short == label || !(label.chars().all(is_value) && label.len() < 64), "{short}");
}

#[test]
fn every_legal_label_runs() {
    on_fabric(&one("labels"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        build_ledger(fabric);
        let long = "Long.Label+".repeat(17)[..LONGEST].to_owned();
        let mut names = Vec::new();
        for (number, label) in ["basic_1.0", "UPPER", "upper", "a+b", &long].into_iter().enumerate()
        {
            let name = format!("cc{number}");
            let file = package(fabric, &chaincode_dir("ledger"), label);
            let package_id = fabric.network().deploy(&file, &Definition::new(&name)).unwrap();
            assert!(package_id.starts_with(&format!("{label}:")), "{package_id}");
            gateway(fabric, peer, &name).call(Op::Submit, &["Put", "k", label]).unwrap();
            let chaincode = peer.chaincode(&package_id).await.unwrap();
            chaincode.await_running().await.unwrap();
            let readable: String = label.chars().take(4).collect();
            let readable = readable.to_lowercase().replace(['_', '.', '+'], "-");
            assert!(chaincode.name().starts_with(&readable), "{} for {label}", chaincode.name());
            assert_labels(fabric, chaincode.name(), &package_id);
            names.push(chaincode.name().to_owned());
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 5);
    });
}
