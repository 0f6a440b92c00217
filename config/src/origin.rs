//! What is said for a chaincode, key by key, and where.

use serde::Serialize;
use serde_json::Value;

use crate::document::{Content, Node};
use crate::fault::path_of;
use crate::place::Place;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Selvedge's own default.
    Default,
    /// This place of the file.
    File(Place),
}

/// A key, its value, and where that comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The path of the key below `chaincode`, such as `resources.limits.memory`.
    pub path: String,
    /// The value: of one that is no map, all of it.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// All that is said in a tree, in order, of the paths that are kept.
pub(crate) fn said(node: &Node, is_kept: impl Fn(&[&str]) -> bool) -> Vec<Said> {
    let mut all = Vec::new();
    collect(node, &mut Vec::new(), &is_kept, &mut all);
    all
}

fn collect<'a>(
    node: &'a Node,
    path: &mut Vec<&'a str>,
    is_kept: &impl Fn(&[&str]) -> bool,
    all: &mut Vec<Said>,
) {
    match &node.content {
        _ if !is_kept(path) => {}
        Content::Map(entries) if !entries.is_empty() => {
            for entry in entries {
                path.push(&entry.key);
                collect(&entry.value, path, is_kept, all);
                path.pop();
            }
        }
        // An empty map or list that nobody wrote says nothing.
        Content::Map(_) if node.place.is_none() => {}
        Content::List(items) if items.is_empty() && node.place.is_none() => {}
        _ => all.push(Said {
            path: path_of(path.iter().copied()),
            value: node.value(),
            origin: node.place.map_or(Origin::Default, Origin::File),
        }),
    }
}

/// What differs between two values, a line for each key: `tmp: "64Mi" -> "1Gi"`.
pub(crate) fn differences(old: &impl Serialize, new: &impl Serialize) -> Vec<String> {
    let of = |value: Result<Value, _>| said(&Node::of(value.unwrap_or_default()), |_| true);
    let (old, new) = (of(serde_json::to_value(old)), of(serde_json::to_value(new)));
    let at = |all: &[Said], path: &str| {
        all.iter().find(|said| said.path == path).map(|said| said.value.clone())
    };
    let mut paths: Vec<&str> = old.iter().chain(&new).map(|said| said.path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    let line = |path: &&str| match (at(&old, path), at(&new, path)) {
        (before, after) if before == after => None,
        (Some(before), Some(after)) => Some(format!("{path}: {before} -> {after}")),
        (None, Some(after)) => Some(format!("{path}: {after}")),
        (before, _) => Some(format!("{path}: {} -> none", before.unwrap_or_default())),
    };
    paths.iter().filter_map(line).collect()
}
