//! An object in the cluster that is kept as the launcher applied it.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::api::{Patch, PatchParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::failure::{ApiFailure, call};
use super::ground::Ground;
use super::identity::MANAGER;

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
    /// As the API gave it back: with defaults, and quantities in its own writing.
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
        if differs("", &wanted, None, &value(&object)).is_some() {
            // Applying leaves in our lists what others put there; a merge replaces lists.
            let parameters =
                PatchParams { field_manager: Some(MANAGER.into()), ..Default::default() };
            let patch = Patch::Merge(content(&wanted));
            object = call(&act, api.patch(&name, &parameters, &patch)).await?;
        }
        Ok(&self.applied.insert(Box::new(Applied { wanted, object, seen: false })).object)
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
        differs("", &applied.wanted, Some(&value(&applied.object)), &value(live))
            .map(Departure::Changed)
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

/// The first wanted field that differs: lists in length, and values from those in
/// `applied`, if it is given. What is not wanted is anybody's to set.
fn differs(path: &str, wanted: &Value, applied: Option<&Value>, live: &Value) -> Option<String> {
    match wanted {
        Value::Object(fields) => fields
            .iter()
            // What else metadata has is not said by anybody who edits an object.
            .filter(|(name, _)| {
                path != ".metadata" || ["labels", "annotations"].contains(&name.as_str())
            })
            .find_map(|(name, wanted)| {
                let applied = applied.map(|applied| &applied[name]);
                differs(&format!("{path}.{name}"), wanted, applied, &live[name])
            }),
        Value::Array(items) => {
            let same = live.as_array().map_or(0, Vec::len) == items.len();
            if !same {
                return Some(path.to_owned());
            }
            items.iter().enumerate().find_map(|(index, wanted)| {
                let applied = applied.map(|applied| &applied[index]);
                differs(&format!("{path}[{index}]"), wanted, applied, &live[index])
            })
        }
        _ => (applied? != live).then(|| path.to_owned()),
    }
    .map(|path| path.trim_start_matches('.').to_owned())
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

    #[test]
    fn an_older_view_is_not_believed() {
        let mut kept = kept();
        assert_eq!(kept.departure(Some(&deployment(4, 0, "b"))), None);
        assert_eq!(kept.departure(None), None, "it was not shown yet");
        assert_eq!(kept.departure(Some(&deployment(5, 1, "a"))), None);
        assert_eq!(kept.departure(None), Some(Departure::Gone));
    }
}
