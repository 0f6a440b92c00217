//! What has a meaning on the `local` backend, and what has one on Kubernetes.

use crate::document::{Content, Node};
use crate::fault::{Fault, path_of};
use crate::file::BackendKind;

/// The keys of `builds` that mean something where processes run.
const BUILDS: [&str; 6] =
    ["timeout", "parallel", "imagesLimit", "toolsLimit", "disk", "memoryLimit"];

/// Those that mean something there alone.
const ONLY_LOCAL: [&str; 3] = ["imagesLimit", "toolsLimit", "memoryLimit"];

/// The keys of `chaincode` that do.
const CHAINCODE: [&str; 7] =
    ["replicas", "scaling", "execution", "function", "replay", "environment", "timeouts"];

/// The keys of `chaincode.timeouts` that do.
const TIMEOUTS: [&str; 2] = ["start", "drain"];

/// The keys of `chaincode.function` that mean something where there are pods.
const FUNCTION_OF_PODS: [&str; 1] = ["keep"];

/// Whether a key means something on the backend.
pub(crate) fn has_meaning(path: &[&str], backend: BackendKind) -> bool {
    match (backend, path) {
        (BackendKind::Kubernetes, ["builds", key, ..]) => !ONLY_LOCAL.contains(key),
        (BackendKind::Local, ["registry", key, ..]) => *key == "rewrites",
        (BackendKind::Local, ["builds", key, ..]) => BUILDS.contains(key),
        (BackendKind::Local, ["chaincode", "timeouts", key, ..]) => TIMEOUTS.contains(key),
        (BackendKind::Local, ["chaincode", "function", key, ..]) => !FUNCTION_OF_PODS.contains(key),
        (BackendKind::Local, ["chaincode", "scaling", "by"]) => false,
        (BackendKind::Local, ["chaincode", key, ..]) => CHAINCODE.contains(key),
        _ => true,
    }
}

/// Every key that means nothing on the backend: refused, since who wrote it expects something.
pub(crate) fn meaningless(root: &Node, backend: BackendKind) -> Vec<Fault> {
    let mut faults = Vec::new();
    let message = match backend {
        BackendKind::Local => {
            "means nothing on the `local` backend: leave it out, or set `backend: kubernetes`"
        }
        BackendKind::Kubernetes => {
            "means nothing on Kubernetes: leave it out, or set `backend: local`"
        }
    };
    let mut look = |node: &Node, at: &[&str], path: &[&str]| {
        for entry in node.entries() {
            let key = entry.key.as_str();
            let path: Vec<&str> = path.iter().copied().chain([key]).collect();
            // Processes of this machine have no Secrets, ConfigMaps or pods to look into.
            let looks_elsewhere = backend == BackendKind::Local
                && matches!(path[..], ["chaincode", "environment", _])
                && matches!(entry.value.content, Content::Map(_));
            if looks_elsewhere || !has_meaning(&path, backend) {
                faults.push(Fault {
                    place: entry.place,
                    path: path_of(at.iter().copied().chain([key])),
                    message: message.to_owned(),
                });
            }
        }
    };
    let chaincodes = chaincodes(root);
    look(root, &[], &[]);
    for key in ["builds", "registry"] {
        if let Some(below) = root.child(key) {
            look(below, &[key], &[key]);
        }
    }
    for (at, node) in &chaincodes {
        let at: Vec<&str> = at.iter().map(String::as_str).collect();
        look(node, &at, &["chaincode"]);
        for key in ["timeouts", "environment", "function"] {
            if let Some(below) = node.child(key) {
                let at: Vec<&str> = at.iter().copied().chain([key]).collect();
                look(below, &at, &["chaincode", key]);
            }
        }
    }
    faults
}

/// The maps that say how chaincode runs, each with where it is.
pub(crate) fn chaincodes(root: &Node) -> Vec<(Vec<String>, &Node)> {
    let overrides = root.child("overrides").map(Node::items).unwrap_or_default();
    let overrides = overrides.iter().enumerate().map(|(number, one)| {
        (vec!["overrides".to_owned(), number.to_string(), "chaincode".to_owned()], one)
    });
    let of = |(at, node): (Vec<String>, _)| {
        let node: &Node = node;
        node.child("chaincode").map(|node| (at, node))
    };
    std::iter::once((vec!["chaincode".to_owned()], root)).chain(overrides).filter_map(of).collect()
}
