//! Which of a run's pods a replica is in, by where it comes from.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use selvedge_manifest::{CREDENTIALS, INSTANCE, KEEPER_PORT, takes_orders_to_kill};

use crate::kubernetes::order::Order;
use crate::kubernetes::place::Place;
use crate::kubernetes::pod_addresses::addresses;
use crate::kubernetes::trouble;

/// The pods of a run, of which each is known by its addresses.
#[derive(Clone)]
pub(super) struct Pods {
    place: Place,
    /// The name of the objects that the pods belong to.
    name: String,
    /// What pods of the run say that their credentials are.
    credentials: String,
}

/// A pod whose keeper takes orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeptPod {
    pub(super) name: String,
    /// Where its keeper does.
    pub(super) keeper: SocketAddr,
}

/// What is at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// This pod, which is there to stay.
    Kept(KeptPod),
    /// None of the run's that is there to stay.
    Nobodys,
    /// Several, or one whose keeper takes no orders.
    Unclear,
}

impl Pods {
    pub(super) fn of(order: &Order) -> Self {
        Self {
            place: order.place.clone(),
            name: order.identity.name.clone(),
            credentials: order.credentials.clone(),
        }
    }

    /// Whether anything may be done about them.
    pub(super) fn are_ours(&self) -> bool {
        self.place.lease.is_held()
    }

    /// Waits until something may be done about them.
    pub(super) async fn become_ours(&self) {
        self.place.lease.gained().await;
    }

    /// The pod that is at the address.
    pub(super) fn at(&self, address: IpAddr) -> Whose {
        let found = self.running(|pod| addresses(pod).any(|own| own == address));
        match &found[..] {
            [] => Whose::Nobodys,
            [pod] => kept(pod).map_or(Whose::Unclear, Whose::Kept),
            _ => Whose::Unclear,
        }
    }

    /// Those whose container was started before that time; nothing of one whose keeper takes no orders.
    pub(super) fn started_before(&self, time: SystemTime) -> Vec<Option<KeptPod>> {
        let is_old = |pod: &Pod| {
            trouble::runs_since(pod).is_some_and(|started| started + trouble::RESOLUTION < time)
        };
        self.running(is_old).iter().map(|pod| kept(pod)).collect()
    }

    /// Those that run and are there to stay, of which this is so.
    fn running(&self, is_so: impl Fn(&Pod) -> bool) -> Vec<Arc<Pod>> {
        self.place.observed.pods.state_filter(|pod| {
            pod.labels().get(INSTANCE) == Some(&self.name)
                && pod.annotations().get(CREDENTIALS) == Some(&self.credentials)
                && pod.metadata.deletion_timestamp.is_none()
                && trouble::runs_since(pod).is_some()
                && is_so(pod)
        })
    }
}

fn kept(pod: &Pod) -> Option<KeptPod> {
    pod.spec.as_ref().filter(|pod| takes_orders_to_kill(pod))?;
    let keeper = SocketAddr::new(addresses(pod).next()?, KEEPER_PORT);
    Some(KeptPod { name: pod.name_any(), keeper })
}
