//! The operator's overlay of a pod template: what Selvedge has no key for, merged last.
//!
//! It is a strategic merge patch, with the meaning that Kubernetes' API server gives to one
//! (<https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/>).

mod directives;
mod fault;
mod merge;
mod schema;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Map, Value};

pub use self::fault::{Fault, Faults};
use crate::path::Path;

/// An overlay that Kubernetes would understand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay(Map<String, Value>);

impl Overlay {
    /// The overlay that is written so; none at all is one that changes nothing.
    pub fn new(written: &Value) -> Result<Self, Faults> {
        let patch = match written {
            Value::Null => return Ok(Self::default()),
            Value::Object(patch) => patch,
            _ => {
                let reason = "a pod template is expected, with `metadata` and `spec`".into();
                return Err(Faults(vec![Fault { path: Path::default(), reason }]));
            }
        };
        let mut faults = schema::faults_of_patch(written);
        faults.extend(directives::faults(patch));
        Faults::of(faults)?;
        Ok(Self(patch.clone()))
    }

    /// The template with the overlay merged over it. It may lack what only both together could
    /// have had, such as the name of a volume that is mounted.
    pub fn over(&self, template: &PodTemplateSpec) -> Result<PodTemplateSpec, Faults> {
        let unreadable = |error: serde_json::Error| {
            Faults(vec![Fault { path: Path::default(), reason: error.to_string() }])
        };
        let mut merged = serde_json::to_value(template).map_err(unreadable)?;
        if let Value::Object(base) = &mut merged {
            merge::merge(base, &self.0);
        }
        Faults::of(schema::faults_of_whole(&merged))?;
        serde_json::from_value(merged).map_err(unreadable)
    }
}

#[cfg(test)]
mod tests;
