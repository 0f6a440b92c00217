//! The pods of a run that are to go: deleted, evicted from their node, or preempted.

use std::collections::BTreeSet;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;

use super::pod_addresses::addresses;
use crate::backend::ReplicaEvent;

/// The addresses of those that were told of so far.
#[derive(Default)]
pub(super) struct Leavers(BTreeSet<IpAddr>);

impl Leavers {
    /// What is to be told, now that these pods are there.
    pub(super) fn seen(&mut self, pods: &[&Pod]) -> Vec<ReplicaEvent> {
        let (leaving, staying): (Vec<&Pod>, Vec<&Pod>) =
            pods.iter().filter(|pod| runs(pod)).partition(|pod| is_leaving(pod));
        // On its node's own network a pod has the address of all that are there.
        let shared: BTreeSet<_> = staying.into_iter().flat_map(addresses).collect();
        let now = leaving.into_iter().flat_map(addresses).filter(|one| !shared.contains(one));
        let now: BTreeSet<_> = now.collect();
        let gone = self.0.difference(&now).map(|one| ReplicaEvent::Left((*one).into()));
        let new = now.difference(&self.0).map(|one| ReplicaEvent::Leaving((*one).into()));
        let events = gone.chain(new).collect();
        self.0 = now;
        events
    }
}

/// Whether the pod runs: its address is another's once it has ended.
fn runs(pod: &Pod) -> bool {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
}

fn is_leaving(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(phase: &str, addresses: &[&str], is_leaving: bool) -> Pod {
        let deleted = if is_leaving { json!("2026-11-26T12:00:00Z") } else { Value::Null };
        let ips: Vec<_> = addresses.iter().map(|address| json!({"ip": address})).collect();
        serde_json::from_value(json!({
            "metadata": {"name": "basic", "deletionTimestamp": deleted},
            "status": {"phase": phase, "podIP": addresses.first(), "podIPs": ips},
        }))
        .unwrap()
    }

    fn told(leavers: &mut Leavers, pods: &[&Pod]) -> String {
        format!("{:?}", leavers.seen(pods))
    }

    #[test]
    fn pods_that_are_to_go_are_told_of_until_they_are_gone() {
        let mut leavers = Leavers::default();
        let there = ["10.0.0.1", "fd00::1"];
        let (staying, leaving) = (pod("Running", &there, false), pod("Running", &there, true));
        let other = pod("Running", &["10.0.0.2"], false);
        assert_eq!(told(&mut leavers, &[&staying, &other]), "[]");
        let both = "[Leaving(10.0.0.1), Leaving(fd00::1)]";
        assert_eq!(told(&mut leavers, &[&leaving, &other]), both);
        assert_eq!(told(&mut leavers, &[&leaving, &other]), "[]");
        let ended = pod("Succeeded", &there, true);
        assert_eq!(told(&mut leavers, &[&ended, &other]), "[Left(10.0.0.1), Left(fd00::1)]");
        assert_eq!(told(&mut leavers, &[&other]), "[]");
    }

    #[test]
    fn an_address_that_others_have_as_well_is_that_of_those_who_stay() {
        let mut leavers = Leavers::default();
        let (leaving, staying) =
            (pod("Running", &["10.0.0.1"], true), pod("Running", &["10.0.0.1"], false));
        assert_eq!(told(&mut leavers, &[&leaving, &staying]), "[]");
        assert_eq!(told(&mut leavers, &[&leaving]), "[Leaving(10.0.0.1)]");
    }

    #[test]
    fn one_that_has_no_address_yet_is_nobody() {
        let mut leavers = Leavers::default();
        assert_eq!(told(&mut leavers, &[&pod("Pending", &[], true)]), "[]");
        assert_eq!(told(&mut leavers, &[&pod("Running", &[], true)]), "[]");
    }
}
