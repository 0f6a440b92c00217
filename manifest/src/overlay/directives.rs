//! What a strategic merge patch says of the merge itself, held against what can be meant.

use serde_json::{Map, Value};

use super::fault::Fault;
use super::merge::{Merged, PATCH, RETAIN_KEYS, merged};
use crate::path::{Path, Step};

/// What a map is, in a patch.
#[derive(Clone, Copy)]
enum Role {
    /// The value of a key: it is merged.
    Field,
    /// An item of a list whose items are merged by this key.
    Item(&'static str),
    /// Within a list that is replaced as a whole: nothing is merged there.
    Content,
}

/// What is wrong with the directives of a patch, and with the keys that its items are found by.
pub(super) fn faults(patch: &Map<String, Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    of_map(&Path::default(), patch, Role::Field, &mut faults);
    faults
}

fn of_map(path: &Path, map: &Map<String, Value>, role: Role, faults: &mut Vec<Fault>) {
    let directives = map.keys().filter(|key| key.starts_with('$')).map(String::as_str);
    for directive in directives {
        if let Some(reason) = wrong_directive(map, role, directive) {
            faults.push(Fault { path: path.key(directive), reason });
        }
    }
    if let Role::Item(key) = role
        && !is_replacement(map)
        && map.get(key).is_none_or(Value::is_null)
    {
        let reason = format!("missing: items of this list are told apart by their `{key}`");
        faults.push(Fault { path: path.key(key), reason });
    }
    for (key, value) in map.iter().filter(|(key, _)| !key.starts_with('$')) {
        let path = path.key(key);
        match value {
            Value::Object(map) => {
                let below = if let Role::Content = role { role } else { Role::Field };
                of_map(&path, map, below, faults);
            }
            Value::Array(list) => of_list(&path, list, role_of_items(key, role), faults),
            _ => {}
        }
    }
}

fn role_of_items(list: &str, role: Role) -> Role {
    match (role, merged(list)) {
        (Role::Field | Role::Item(_), Some(Merged::By(key))) => Role::Item(key),
        _ => Role::Content,
    }
}

fn of_list(path: &Path, list: &[Value], role: Role, faults: &mut Vec<Fault>) {
    if let Role::Item(key) = role {
        faults.extend(doubled(path, list, key));
    }
    for (index, item) in list.iter().enumerate() {
        let path = path.join(Step::Index(index));
        match item {
            Value::Object(map) => of_map(&path, map, role, faults),
            Value::Null => {
                let reason = "an item cannot be null".into();
                faults.push(Fault { path, reason });
            }
            _ => {}
        }
    }
}

/// Items of one name, of which one would get lost in the other. Only ports and constraints may share
/// what they are told apart by: there Kubernetes has more to tell them apart, but not in a patch.
fn doubled(path: &Path, list: &[Value], key: &'static str) -> Vec<Fault> {
    let shared = ["containerPort", "topologyKey"].contains(&key);
    let kept = |item: &&Value| !shared && item.get(PATCH).is_none() && !item[key].is_null();
    let same = |one: &Value, other: &Value| one[key] == other[key] && kept(&other);
    let mut faults = Vec::new();
    for (index, item) in list.iter().enumerate().filter(|(_, item)| kept(item)) {
        if list[..index].iter().any(|other| same(item, other)) {
            let reason = format!("{} stands twice in this list", item[key]);
            faults.push(Fault { path: path.join(Step::Index(index)).key(key), reason });
        }
    }
    faults
}

/// Whether an item only says that its list is to be replaced.
fn is_replacement(item: &Map<String, Value>) -> bool {
    item.len() == 1 && item.get(PATCH).is_some_and(|how| how == "replace")
}

fn wrong_directive(map: &Map<String, Value>, role: Role, directive: &str) -> Option<String> {
    match (role, directive) {
        (Role::Content, PATCH | RETAIN_KEYS) => {
            Some("this list is replaced as a whole, nothing within it is merged".into())
        }
        // Kubernetes would replace the list and drop the item that says so.
        (Role::Item(_), PATCH) if map[PATCH] == "replace" && !is_replacement(map) => {
            Some("`$patch: replace` stands in an item of its own, and replaces the list".into())
        }
        (_, RETAIN_KEYS) => not_retained(map),
        (_, PATCH) => None,
        (_, order) if order.starts_with("$setElementOrder") => {
            Some("not supported; the order is that of the list itself".into())
        }
        (_, delete) if delete.starts_with("$deleteFromPrimitiveList") => {
            Some("not supported; take the list away with null, or replace the map it is in".into())
        }
        _ => Some("no directive; there are `$patch` and `$retainKeys`".into()),
    }
}

fn not_retained(map: &Map<String, Value>) -> Option<String> {
    let retained = map[RETAIN_KEYS].as_array()?;
    let set = map.iter().filter(|(key, value)| !key.starts_with('$') && !value.is_null());
    let lost = set.map(|(key, _)| key).find(|key| !retained.iter().any(|name| name == *key))?;
    Some(format!("does not retain `{lost}`, which is set beside it"))
}
