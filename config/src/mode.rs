//! Which keys mean nothing by the way in which chaincode is executed.

use serde_json::Value;

use crate::chaincode::Chaincode;
use crate::document::{Content, Node};
use crate::fault::{Fault, path_of};
use crate::local::chaincodes;

/// Whether a key below `chaincode` means something in the way in which this is executed.
pub(crate) fn has_meaning(path: &[&str], chaincode: &Node) -> bool {
    match path {
        ["function", ..] => is_function(chaincode),
        ["replicas"] => !is_function(chaincode),
        ["scaling", ..] => !is_function(chaincode) && scales(chaincode),
        _ => true,
    }
}

/// Every key that means nothing wherever the file is looked at, and is said to be something: of
/// function mode, which nothing in the file asks for, and of service mode beside function mode. Which
/// overrides come together, nobody knows: what the defaults say for some of them is fine.
pub(crate) fn meaningless(root: &Node) -> Vec<Fault> {
    let chaincodes = chaincodes(root);
    let is_some_function = chaincodes.iter().any(|(_, node)| is_function(node));
    let some_scale = chaincodes.iter().any(|(_, node)| scales(node));
    let defaults = serde_json::to_value(Chaincode::default()).unwrap_or_default();
    let mut faults = Vec::new();
    for (at, node) in &chaincodes {
        let mut refuse = |key: &str, message: &str| {
            let entry = node.entry(key);
            if let Some(entry) = entry.filter(|entry| says_more(&entry.value, &defaults[key])) {
                faults.push(Fault {
                    place: entry.place,
                    path: path_of(at.iter().map(String::as_str).chain([key])),
                    message: message.to_owned(),
                });
            }
        };
        if !some_scale {
            refuse("scaling", "means nothing without `scaling.maxReplicas`");
        }
        if !is_some_function {
            refuse("function", "means nothing without `execution: function`");
        } else if is_function(node) {
            refuse(
                "replicas",
                "means nothing with `execution: function`: say `function.maxReplicas`",
            );
            refuse(
                "scaling",
                "means nothing with `execution: function`: say `function.maxReplicas`",
            );
        }
    }
    faults
}

fn scales(chaincode: &Node) -> bool {
    let most = chaincode.child("scaling").and_then(|scaling| scaling.child("maxReplicas"));
    most.is_some_and(|most| !most.is_null())
}

fn is_function(chaincode: &Node) -> bool {
    match chaincode.child("execution").map(|node| &node.content) {
        Some(Content::Scalar(value)) => value == "function",
        _ => false,
    }
}

/// Whether something is said that is not so by default.
fn says_more(said: &Node, default: &Value) -> bool {
    match &said.content {
        Content::Map(entries) => {
            entries.iter().any(|entry| says_more(&entry.value, &default[entry.key.as_str()]))
        }
        _ => said.value() != *default,
    }
}
