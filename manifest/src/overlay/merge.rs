//! The strategic merge itself, as `k8s.io/apimachinery/pkg/util/strategicpatch` does it.
//!
//! `k8s_openapi::DeepMerge` is another merge, that of server-side apply: it tells ports apart by
//! number and protocol, replaces a node selector as a whole, and knows no deletion; and a field that
//! the API demands is overwritten with nothing by an item that leaves it out.

use serde_json::{Map, Value};

/// The directive that says what is to become of a map, or of an item of a list.
pub(super) const PATCH: &str = "$patch";

/// The directive that names the keys that are to be left of a map.
pub(super) const RETAIN_KEYS: &str = "$retainKeys";

/// How the items of a list are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merged {
    /// By this key.
    By(&'static str),
    /// By themselves.
    BySelf,
}

/// How a list of a pod template is merged; `None` of one that is replaced. The names suffice: no
/// two lists of one name differ, which a test holds against Kubernetes' own types.
pub(super) fn merged(list: &str) -> Option<Merged> {
    Some(match list {
        "containers"
        | "env"
        | "ephemeralContainers"
        | "imagePullSecrets"
        | "initContainers"
        | "resourceClaims"
        | "schedulingGates"
        | "volumes" => Merged::By("name"),
        "finalizers" => Merged::BySelf,
        "hostAliases" => Merged::By("ip"),
        "ownerReferences" => Merged::By("uid"),
        "ports" => Merged::By("containerPort"),
        "topologySpreadConstraints" => Merged::By("topologyKey"),
        "volumeDevices" => Merged::By("devicePath"),
        "volumeMounts" => Merged::By("mountPath"),
        _ => return None,
    })
}

/// Merges a patch, which has no faults, into what is there.
pub(super) fn merge(base: &mut Map<String, Value>, patch: &Map<String, Value>) {
    match patch.get(PATCH).and_then(Value::as_str) {
        Some("replace") => return *base = content(patch),
        Some(_) => return base.clear(),
        None => {}
    }
    if let Some(Value::Array(retained)) = patch.get(RETAIN_KEYS) {
        base.retain(|key, _| retained.iter().any(|name| name == key));
    }
    for (key, value) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        match (base.get_mut(key), value) {
            (_, Value::Null) => {
                base.remove(key);
            }
            (Some(Value::Object(base)), Value::Object(patch)) => merge(base, patch),
            (Some(Value::Array(base)), Value::Array(patch)) => match merged(key) {
                Some(by) => merge_list(base, patch, by),
                None => *base = items(patch),
            },
            _ => match new(value) {
                Some(value) => drop(base.insert(key.clone(), value)),
                None => drop(base.remove(key)),
            },
        }
    }
}

fn merge_list(base: &mut Vec<Value>, patch: &[Value], by: Merged) {
    let directive = |item: &Value| item.get(PATCH).and_then(Value::as_str).map(str::to_owned);
    let (special, patch): (Vec<_>, Vec<_>) =
        patch.iter().partition(|item| directive(item).is_some());
    if special.iter().any(|item| directive(item).as_deref() == Some("replace")) {
        *base = patch.into_iter().filter_map(new).collect();
        return;
    }
    base.retain(|item| special.iter().all(|deleted| identity(deleted, by) != identity(item, by)));
    let before: Vec<_> = base.iter().map(|item| identity(item, by).clone()).collect();
    for item in &patch {
        let same = base.iter_mut().find(|old| identity(old, by) == identity(item, by));
        match (same, item) {
            (Some(Value::Object(old)), Value::Object(item)) => merge(old, item),
            (Some(_), _) => {}
            (None, item) => base.extend(new(item)),
        }
    }
    let wanted: Vec<_> = patch.iter().map(|item| identity(item, by).clone()).collect();
    in_order(base, &before, &wanted, by);
}

/// The patch's items in its order; the others before the first of those that they were before. So
/// what is new comes first.
fn in_order(items: &mut Vec<Value>, before: &[Value], wanted: &[Value], by: Merged) {
    let place =
        |order: &[Value], item: &Value| order.iter().position(|at| at == identity(item, by));
    let (mut named, mut others): (Vec<_>, Vec<_>) =
        items.drain(..).partition(|item| place(wanted, item).is_some());
    named.sort_by_key(|item| place(wanted, item));
    others.sort_by_key(|item| place(before, item));
    let mut others = others.into_iter().peekable();
    for item in named {
        if let Some(at) = place(before, &item) {
            while let Some(other) = others.next_if(|other| place(before, other) < Some(at)) {
                items.push(other);
            }
        }
        items.push(item);
    }
    items.extend(others);
}

fn identity(item: &Value, by: Merged) -> &Value {
    match by {
        Merged::By(key) => &item[key],
        Merged::BySelf => item,
    }
}

/// What becomes of a patch's value where there was none: itself, without what it deletes. Where it
/// says `$patch: replace`, Kubernetes would drop it; whoever writes so means what he wrote.
fn new(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Object(patch) if patch.get(PATCH).is_some_and(|how| how == "delete") => None,
        Value::Object(patch) => Some(Value::Object(content(patch))),
        Value::Array(patch) => Some(Value::Array(items(patch))),
        value => Some(value.clone()),
    }
}

fn content(patch: &Map<String, Value>) -> Map<String, Value> {
    let kept = patch.iter().filter(|(key, _)| !key.starts_with('$'));
    kept.filter_map(|(key, value)| Some((key.clone(), new(value)?))).collect()
}

/// The items of a new list; those that only say what is to become of an old one are none.
fn items(patch: &[Value]) -> Vec<Value> {
    patch.iter().filter(|item| item.get(PATCH).is_none()).filter_map(new).collect()
}
