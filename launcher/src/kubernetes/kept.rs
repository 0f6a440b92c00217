//! An object in the cluster that is kept as the launcher applied it.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::api::{Patch, PatchParams};
use selvedge_manifest::MANAGER;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::failure::{ApiFailure, call};
use super::ground::Ground;

/// A kind of object that the launcher applies.
pub(crate) trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// One object: what was last applied, and what became of it.
pub(crate) struct Kept<K> {
    /// Boxed: an object's type is kilobytes large.
    applied: Option<Box<Applied<K>>>,
}

struct Applied<K> {
    wanted: Value,
    /// As the API gave it back: with defaults, quantities in its own writing, and what admission
    /// webhooks made of it.
    object: K,
    /// The watch has shown it, so that its absence means that it is gone.
    seen: bool,
}

/// How an object differs from what was applied.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// It is gone.
    Gone,
    /// The field at this path is another.
    Changed(String),
}

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Self { applied: None }
    }
}

impl<K: Kind> Kept<K> {
    /// Applies the object, and takes back what others set of it.
    pub(crate) async fn apply(&mut self, ground: &Ground, wanted: &K) -> Result<&K, ApiFailure> {
        let name = wanted.meta().name.clone().unwrap_or_default();
        let act = format!("apply the {} {name}", K::kind(&()));
        let api = ground.api::<K>();
        let parameters = PatchParams::apply(MANAGER).force();
        let mut object = call(&act, api.patch(&name, &parameters, &Patch::Apply(wanted))).await?;
        let wanted = value(wanted);
        if extended("", &wanted, &value(&object)).is_some() {
            // Applying leaves in our lists what others put there; a merge replaces lists. What is
            // there after that, a webhook puts there every time.
            let parameters =
                PatchParams { field_manager: Some(MANAGER.into()), ..Default::default() };
            let patch = Patch::Merge(content(&wanted));
            object = call(&act, api.patch(&name, &parameters, &patch)).await?;
        }
        Ok(&self.applied.insert(Box::new(Applied { wanted, object, seen: false })).object)
    }

    /// The object as it was last applied.
    pub(crate) fn applied(&self) -> Option<&K> {
        self.applied.as_ref().map(|applied| &applied.object)
    }

    /// Whether what the watch shows is what somebody else wrote after it was applied.
    pub(crate) fn is_outdated_by(&self, live: &K) -> bool {
        self.applied.as_ref().is_some_and(|applied| version(live) > version(&applied.object))
    }

    /// How the object, as the watch shows it, differs from what was applied.
    pub(crate) fn departure(&mut self, live: Option<&K>) -> Option<Departure> {
        let applied = self.applied.as_mut()?;
        let Some(live) = live else {
            return applied.seen.then_some(Departure::Gone);
        };
        // A watch lags behind what this launcher itself wrote.
        if version(live) < version(&applied.object) || live.meta().deletion_timestamp.is_some() {
            return None;
        }
        applied.seen = true;
        let path = differs("", &applied.wanted, &value(&applied.object), &value(live))?;
        Some(Departure::Changed(path.trim_start_matches('.').to_owned()))
    }
}

/// The object's version: a number that grows with each write
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>).
fn version<K: Resource>(object: &K) -> u64 {
    object.meta().resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0)
}

fn value(object: &impl Serialize) -> Value {
    // Kubernetes' types are plain data: each has a JSON form.
    serde_json::to_value(object).unwrap_or_default()
}

/// What an object says beside its name and kind.
fn content(wanted: &Value) -> Value {
    let mut content = wanted.clone();
    if let Some(fields) = content.as_object_mut() {
        for field in ["apiVersion", "kind", "metadata", "status"] {
            fields.remove(field);
        }
    }
    content
}

/// The first list of ours that has more or fewer items than we put there.
fn extended(path: &str, wanted: &Value, live: &Value) -> Option<String> {
    match wanted {
        Value::Object(_) => ours(path, wanted)
            .find_map(|(name, wanted)| extended(&format!("{path}.{name}"), wanted, &live[name])),
        Value::Array(items) if length(live) != items.len() => Some(path.to_owned()),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            extended(&format!("{path}[{index}]"), item, counterpart(live, item, index))
        }),
        _ => None,
    }
}

/// The first field of ours that is another now than after it was applied. What we do not set is
/// anybody's to set; and what an admission webhook made of ours (`applied`) it would make of it
/// again.
fn differs(path: &str, wanted: &Value, applied: &Value, live: &Value) -> Option<String> {
    match wanted {
        Value::Object(_) => ours(path, wanted).find_map(|(name, wanted)| {
            differs(&format!("{path}.{name}"), wanted, &applied[name], &live[name])
        }),
        Value::Array(_) if length(applied) != length(live) => Some(path.to_owned()),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let (applied, live) =
                (counterpart(applied, item, index), counterpart(live, item, index));
            differs(&format!("{path}[{index}]"), item, applied, live)
        }),
        _ => (applied != live).then(|| path.to_owned()),
    }
}

/// The fields that are looked at: what else metadata has is not said by anybody who edits an
/// object.
fn ours<'a>(path: &str, wanted: &'a Value) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let is_metadata = path == ".metadata";
    let fields = wanted.as_object().into_iter().flatten();
    fields
        .filter(move |(name, _)| !is_metadata || ["labels", "annotations"].contains(&name.as_str()))
}

/// The item of a list that has the name of ours, or its place: webhooks put theirs in front, too.
fn counterpart<'a>(list: &'a Value, item: &Value, index: usize) -> &'a Value {
    match item.get("name") {
        Some(name) => list
            .as_array()
            .and_then(|items| items.iter().find(|other| other["name"] == *name))
            .unwrap_or(&Value::Null),
        None => &list[index],
    }
}

fn length(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;
    use serde_json::json;

    use super::*;

    fn deployment(version: u32, replicas: u32, image: &str) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"name": "basic", "resourceVersion": version.to_string()},
            "spec": {
                "replicas": replicas,
                "selector": {},
                "template": {"spec": {"containers": [{
                    "name": "chaincode", "image": image,
                    "resources": {"limits": {"cpu": "1"}},
                }]}},
            },
        }))
        .unwrap()
    }

    fn kept() -> Kept<Deployment> {
        let mut wanted = value(&deployment(0, 1, "a"));
        // Kubernetes writes quantities in its own way.
        wanted["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] =
            json!("1000m");
        let object = deployment(5, 1, "a");
        Kept { applied: Some(Box::new(Applied { wanted, object, seen: false })) }
    }

    fn changed(path: &str) -> Departure {
        Departure::Changed(path.into())
    }

    #[test]
    fn what_was_applied_is_left_alone() {
        let mut live = deployment(6, 1, "a");
        live.spec.get_or_insert_default().paused = Some(false);
        assert_eq!(kept().departure(Some(&live)), None);
    }

    #[test]
    fn an_edit_is_seen_and_named() {
        assert_eq!(kept().departure(Some(&deployment(6, 0, "a"))), Some(changed("spec.replicas")));
        let image = "spec.template.spec.containers[0].image";
        assert_eq!(kept().departure(Some(&deployment(6, 1, "b"))), Some(changed(image)));
        let mut more = deployment(6, 1, "a");
        let spec = more.spec.as_mut().and_then(|spec| spec.template.spec.as_mut()).unwrap();
        spec.containers.push(spec.containers[0].clone());
        assert_eq!(kept().departure(Some(&more)), Some(changed("spec.template.spec.containers")));
    }

    /// What is wanted, after a webhook has put a container in front and taken the limits away.
    fn admitted(version: u32) -> Deployment {
        let mut object = deployment(version, 1, "a");
        let pod = object.spec.as_mut().and_then(|spec| spec.template.spec.as_mut()).unwrap();
        let mut sidecar = pod.containers[0].clone();
        sidecar.name = "sidecar".into();
        pod.containers[0].resources = None;
        pod.containers.insert(0, sidecar);
        object
    }

    #[test]
    fn what_a_webhook_made_of_it_is_left_alone_and_what_others_edit_beside_that_is_not() {
        let wanted = value(&deployment(0, 1, "a"));
        let mut kept =
            Kept { applied: Some(Box::new(Applied { wanted, object: admitted(5), seen: false })) };
        assert_eq!(kept.departure(Some(&admitted(6))), None);
        let mut edited = admitted(7);
        let pod = edited.spec.as_mut().and_then(|spec| spec.template.spec.as_mut()).unwrap();
        pod.containers[1].image = Some("b".into());
        let image = "spec.template.spec.containers[0].image";
        assert_eq!(kept.departure(Some(&edited)), Some(changed(image)));
        let pod = edited.spec.as_mut().and_then(|spec| spec.template.spec.as_mut()).unwrap();
        pod.containers.remove(0);
        let containers = "spec.template.spec.containers";
        assert_eq!(kept.departure(Some(&edited)), Some(changed(containers)));
    }

    #[test]
    fn an_older_view_is_not_believed() {
        let mut kept = kept();
        assert_eq!(kept.departure(Some(&deployment(4, 0, "b"))), None);
        assert_eq!(kept.departure(None), None, "it was not shown yet");
        assert_eq!(kept.departure(Some(&deployment(5, 1, "a"))), None);
        assert_eq!(kept.departure(None), Some(Departure::Gone));
    }
}
