//! What the roll of a set of replicas has of a pod.

use std::time::SystemTime;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::pod_addresses::addresses;
use super::trouble;
use crate::roll::{Mark, Present};

/// The pod by its name; nothing of one that is over.
pub(super) fn present(pod: &Pod) -> Option<(String, Present)> {
    if trouble::is_over(pod) {
        return None;
    }
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    let made = pod.metadata.creation_timestamp.as_ref().map(|time| SystemTime::from(time.0));
    let present = Present {
        node: node.unwrap_or_default(),
        since: made.unwrap_or_else(SystemTime::now),
        mark: Mark::Of(addresses(pod).collect()),
        is_leaving: pod.metadata.deletion_timestamp.is_some(),
    };
    Some((pod.name_any(), present))
}
