//! How many of a chaincode's pods may be away at once while nodes are drained.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use selvedge_config::Execution;

use super::{Blueprint, pods_at_rest};

impl Blueprint<'_> {
    /// One after the other, where there are several. Of a chaincode that has one pod none could go
    /// otherwise, and the drain of its node would never end. Nobody misses one that a call has made and
    /// that has answered it.
    pub fn disruption_budget(&self, owner: &OwnerReference) -> Option<PodDisruptionBudget> {
        let several = match self.settings.execution() {
            Execution::Service { most, .. } => most > 1,
            Execution::Function(_) => pods_at_rest(self.settings) > 1,
        };
        several.then(|| PodDisruptionBudget {
            metadata: self.metadata(Some(owner)),
            spec: Some(PodDisruptionBudgetSpec {
                max_unavailable: Some(IntOrString::Int(1)),
                selector: Some(LabelSelector {
                    match_labels: Some(self.identity.selector()),
                    ..LabelSelector::default()
                }),
                // One that does not run answers nobody, and holds up no drain.
                unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
                ..PodDisruptionBudgetSpec::default()
            }),
            ..PodDisruptionBudget::default()
        })
    }
}
