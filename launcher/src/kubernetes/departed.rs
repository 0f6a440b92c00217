//! What peers left that are gone for good: found by their leases, which nobody renews, and deleted
//! by any launcher that works in the same namespace.
//!
//! A peer in the chaincodes' own namespace takes its chaincode's objects with it
//! (`controller.rs`); nothing in one namespace can own what is in another.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Preconditions};
use selvedge_manifest::{MANAGED_BY, MANAGER, PEER};
use tracing::info;

use super::failure::{ApiFailure, call};
use super::ground::Ground;

/// A peer whose lease was renewed this lately is there, whatever is set: its launcher may be
/// starting anew, and the clocks of two nodes differ.
const THERE: Duration = Duration::from_mins(5);

/// Deletes the lease and all objects of each peer that has been gone for so long.
pub(crate) async fn clear(ground: &Ground, gone_for: Duration) -> Result<(), ApiFailure> {
    let leases = ground.api::<Lease>();
    let ours = ListParams::default().labels(&format!("{MANAGED_BY}={MANAGER}"));
    let found = call("list the leases of peers", leases.list(&ours)).await?;
    for lease in found.items.iter().filter(|lease| is_stale(lease, gone_for)) {
        // First: a peer that comes back has it renewed, and keeps the rest.
        let parameters = DeleteParams::default().preconditions(Preconditions {
            uid: lease.uid(),
            resource_version: lease.resource_version(),
        });
        let name = lease.name_any();
        let act = format!("delete the lease {name}");
        match call(&act, leases.delete(&name, &parameters)).await {
            Err(failure) if failure.is_conflict() || failure.is_not_found() => continue,
            deleted => deleted.map(drop)?,
        }
        if let Some(peer) = lease.labels().get(PEER) {
            info!(peer, "the peer is gone, what was its chaincode's is deleted");
            delete_all(ground, peer).await?;
        }
    }
    Ok(())
}

/// Deletes the peer's Services, which own all the rest.
async fn delete_all(ground: &Ground, peer: &str) -> Result<(), ApiFailure> {
    let services = ground.api::<Service>();
    let of_peer = ListParams::default().labels(&format!("{MANAGED_BY}={MANAGER},{PEER}={peer}"));
    for service in call("list the peer's Services", services.list(&of_peer)).await?.items {
        let name = service.name_any();
        let act = format!("delete the Service {name}");
        match call(&act, services.delete(&name, &DeleteParams::background())).await {
            Err(failure) if failure.is_not_found() => {}
            deleted => deleted.map(drop)?,
        }
    }
    Ok(())
}

fn is_stale(lease: &Lease, gone_for: Duration) -> bool {
    let renewed = lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref());
    let limit = SignedDuration::try_from(gone_for.max(THERE)).unwrap_or(SignedDuration::MAX);
    renewed.is_some_and(|renewed| Timestamp::now().duration_since(renewed.0) >= limit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scene::Scene;
    use super::*;

    const LIMIT: Duration = Duration::from_hours(24);

    fn put_lease(scene: &Scene, renewed: Timestamp) -> String {
        let path = "/apis/coordination.k8s.io/v1/namespaces/chaincode/leases/other".to_owned();
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {
                "name": "other", "uid": "lease", "labels": {MANAGED_BY: MANAGER, PEER: "org2.peer"},
            },
            "spec": {"renewTime": format!("{renewed:.6}")},
        });
        scene.api.put(&path, lease);
        path
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_peer_left_that_is_gone_goes_and_anothers_stays() {
        let scene = Scene::new().await;
        scene.put_forgotten();
        let service = scene.path("services");
        let lately = put_lease(&scene, Timestamp::now() - LIMIT / 2);
        clear(&scene.place.ground, LIMIT).await.unwrap();
        assert!(scene.api.object(&lately).is_some() && scene.api.object(&service).is_some());

        let own = scene.api.requests().iter().find(|made| made.starts_with("POST")).cloned();
        let own = own.unwrap().trim_start_matches("POST ").to_owned();
        let long_ago = put_lease(&scene, Timestamp::now() - LIMIT * 2);
        clear(&scene.place.ground, LIMIT).await.unwrap();
        assert!(scene.api.object(&long_ago).is_none() && scene.api.object(&service).is_none());
        assert!(scene.api.object(&own).is_some(), "a peer that is there lost its lease");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_there_loses_nothing_however_soon_the_rest_is_forgotten() {
        let scene = Scene::new().await;
        scene.put_forgotten();
        let lately = put_lease(&scene, Timestamp::now() - THERE / 2);
        clear(&scene.place.ground, Duration::ZERO).await.unwrap();
        assert!(scene.api.object(&lately).is_some());
        assert!(scene.api.object(&scene.path("services")).is_some());
    }
}
