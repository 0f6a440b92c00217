//! The direction of the dependencies between the crates, for the whole workspace.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

/// What a crate that is shipped may use of the workspace, itself left out, and
/// which crates of others it must do without.
struct Rule {
    name: &'static str,
    may_use: &'static [&'static str],
    never: &'static [&'static str],
}

const RULES: [Rule; 14] = [
    Rule { name: "selvedge-proto", may_use: &[], never: &["kube"] },
    Rule {
        name: "selvedge-proxy",
        may_use: &["selvedge-proto"],
        never: &["kube", "k8s-openapi", "oci-spec"],
    },
    // The builder has it in it.
    Rule {
        name: "selvedge-client",
        may_use: &["selvedge-proto"],
        never: &["clap", "kube", "k8s-openapi", "oci-spec", "tracing-subscriber"],
    },
    Rule {
        name: "selvedge-builder",
        may_use: &["selvedge-proto", "selvedge-client", "selvedge-package"],
        never: &["kube", "k8s-openapi", "oci-spec", "tracing-subscriber"],
    },
    // What a package says of itself, to the builder as to the buildpack: so it must stay as small
    // as the smaller of the two.
    Rule {
        name: "selvedge-package",
        may_use: &[],
        never: &["flate2", "sha2", "tar", "tempfile", "tokio", "walkdir"],
    },
    Rule {
        name: "selvedge-buildpack",
        may_use: &["selvedge-package"],
        never: &["kube", "k8s-openapi", "tonic"],
    },
    // A leaf: settings know no backend.
    Rule { name: "selvedge-config", may_use: &[], never: &["clap", "kube", "tokio", "tonic"] },
    // What would be applied has to be told without a cluster, too.
    Rule {
        name: "selvedge-manifest",
        may_use: &["selvedge-config", "selvedge-buildpack", "selvedge-package"],
        never: &["clap", "kube", "tokio", "tonic"],
    },
    // For the launcher and for people: a registry is no cluster.
    Rule {
        name: "selvedge-registry",
        may_use: &["selvedge-buildpack", "selvedge-package"],
        never: &["clap", "kube", "k8s-openapi", "tonic"],
    },
    // It trusts who pushes, and needs no launcher to be tried.
    Rule {
        name: "selvedge-registry-server",
        may_use: &["selvedge-buildpack", "selvedge-package"],
        never: &["clap", "kube", "k8s-openapi", "oci-client", "reqwest", "tonic"],
    },
    // It lies in every chaincode's pod, and shares the memory that the chaincode may have.
    Rule { name: "selvedge-keeper", may_use: &[], never: &["clap", "serde", "tokio", "tracing"] },
    Rule {
        name: "selvedge-launcher",
        may_use: &[
            "selvedge-proto",
            "selvedge-registry",
            "selvedge-registry-server",
            "selvedge-proxy",
            "selvedge-buildpack",
            "selvedge-package",
            "selvedge-config",
            "selvedge-keeper",
            "selvedge-manifest",
        ],
        never: &[],
    },
    Rule {
        name: "selvedge",
        may_use: &[
            "selvedge-proto",
            "selvedge-client",
            "selvedge-buildpack",
            "selvedge-package",
            "selvedge-config",
            "selvedge-manifest",
            "selvedge-registry",
        ],
        never: &["kube"],
    },
    // What the first command on a fresh machine waits for.
    Rule { name: "xtask", may_use: &["testbed"], never: &["kube", "k8s-openapi", "tokio"] },
];

/// What is not shipped may use what it likes.
const TOOLS: [&str; 9] = [
    "cluster",
    "crafted",
    "golden",
    "testbed",
    "fabric-on-kubernetes",
    "e2e",
    "bench",
    "xtask-docs",
    "xtask-kubernetes",
];

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The workspace's crates.
fn members() -> BTreeSet<String> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version=1"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| package["name"].as_str().unwrap().to_string()).collect()
}

/// All crates that end up in a crate, itself left out.
fn dependencies(name: &str) -> BTreeSet<String> {
    cargo(&["tree", "--package", name, "--edges=normal", "--prefix=none", "--format={p}"])
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|dependency| *dependency != name)
        .map(String::from)
        .collect()
}

#[test]
fn every_crate_has_its_place() {
    let placed = RULES.iter().map(|rule| rule.name).chain(TOOLS).map(String::from);
    assert_eq!(members(), placed.collect());
}

#[test]
fn dependencies_point_one_way() {
    let members = members();
    for Rule { name, may_use, never } in RULES {
        let dependencies = dependencies(name);
        for used in dependencies.intersection(&members) {
            assert!(may_use.contains(&used.as_str()), "{name} must not use {used}");
        }
        for other in never {
            assert!(!dependencies.contains(*other), "{name} must not use {other}");
        }
    }
}
