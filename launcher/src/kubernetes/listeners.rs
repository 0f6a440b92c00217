//! Where the pods of a run listen that are to be dialled.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use k8s_openapi::api::core::v1::Pod;

use crate::backend::ReplicaEvent;

/// What was told of so far.
#[derive(Default)]
pub(super) struct Listeners(BTreeSet<SocketAddr>);

impl Listeners {
    /// What is to be told, now that these pods are there, whose chaincode listens at the port if it
    /// does.
    pub(super) fn seen(&mut self, pods: &[&Pod], port: Option<u16>) -> Vec<ReplicaEvent> {
        let Some(port) = port else { return Vec::new() };
        let now: BTreeSet<_> = pods.iter().filter_map(|pod| listens(pod, port)).collect();
        let gone = self.0.difference(&now).copied().map(ReplicaEvent::Silenced);
        let new = now.difference(&self.0).copied().map(ReplicaEvent::Listening);
        let events = gone.chain(new).collect();
        self.0 = now;
        events
    }
}

/// Where the pod listens, or is about to: its address is another's once it has ended.
fn listens(pod: &Pod, port: u16) -> Option<SocketAddr> {
    let status = pod.status.as_ref()?;
    let runs = status.phase.as_deref() == Some("Running");
    let stays = pod.metadata.deletion_timestamp.is_none();
    let address = status.pod_ip.as_ref().filter(|_| runs && stays)?;
    Some(SocketAddr::new(address.parse().ok()?, port))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(phase: &str, address: &str) -> Pod {
        let status = json!({"phase": phase, "podIP": address});
        serde_json::from_value(json!({"metadata": {"name": "basic"}, "status": status})).unwrap()
    }

    fn told(listeners: &mut Listeners, pods: &[&Pod]) -> String {
        format!("{:?}", listeners.seen(pods, Some(9999)))
    }

    #[test]
    fn pods_that_run_are_told_of_until_they_go() {
        let mut listeners = Listeners::default();
        let (one, other) = (pod("Running", "10.0.0.1"), pod("Running", "fd00::2"));
        assert_eq!(told(&mut listeners, &[&pod("Pending", "10.0.0.1")]), "[]");
        assert_eq!(
            told(&mut listeners, &[&one, &other]),
            "[Listening(10.0.0.1:9999), Listening([fd00::2]:9999)]"
        );
        assert_eq!(told(&mut listeners, &[&one, &other]), "[]");
        let mut leaving = one.clone();
        leaving.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-11-26T12:00:00Z")).unwrap();
        let next = pod("Running", "10.0.0.3");
        assert_eq!(
            told(&mut listeners, &[&leaving, &other, &next]),
            "[Silenced(10.0.0.1:9999), Listening(10.0.0.3:9999)]"
        );
        assert_eq!(listeners.seen(&[&one], None).len(), 0);
    }
}
