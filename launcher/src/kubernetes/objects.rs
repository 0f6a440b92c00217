//! All objects of one chaincode: applied in an order that works, and kept so.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::reflector::Store;
use selvedge_manifest::baseline::Lifted;
use selvedge_manifest::{
    Blueprint, Deployed, Identity, MANAGER, NoAddress, STOPPED_AT, Unfit, address, owner,
};
use serde_json::json;

use super::failure::{ApiFailure, call};
use super::ground::Ground;
use super::kept::{Departure, Kept, Kind};
use super::observed::{Observed, find};

/// Why the objects were not applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    #[error(transparent)]
    Api(#[from] ApiFailure),
    #[error(transparent)]
    NoAddress(#[from] NoAddress),
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

impl ApplyError {
    /// Whether the same may succeed a little later by itself.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Api(failure) => failure.is_passing(),
            Self::NoAddress(_) | Self::Unfit(_) => false,
        }
    }
}

/// The objects of a chaincode.
#[derive(Default)]
pub(crate) struct Objects {
    service: Kept<Service>,
    secret: Kept<Secret>,
    /// By what nodes pull, where the launcher is the registry.
    pull_secret: Kept<Secret>,
    endpoint_slice: Kept<EndpointSlice>,
    network_policy: Kept<NetworkPolicy>,
    /// Where there are several pods.
    disruption_budget: Kept<PodDisruptionBudget>,
    deployment: Kept<Deployment>,
}

impl Objects {
    /// Applies all of them: the Service, whose address the others name; what pods
    /// need; and the pods last. What of the pods' security is lifted.
    pub(crate) async fn apply(
        &mut self,
        ground: &Ground,
        blueprint: &Blueprint<'_>,
    ) -> Result<Vec<Lifted>, ApplyError> {
        let service = self.service.apply(ground, &blueprint.service()).await?;
        let (owner, address) = (owner(service), address(service)?);
        let Deployed { deployment, lifted } = blueprint.deployment(&owner, address)?;
        let (secret, slice, policy) = (
            blueprint.secret(&owner),
            blueprint.endpoint_slice(&owner),
            blueprint.network_policy(&owner, service),
        );
        let budget = blueprint.disruption_budget(&owner);
        let budget = async {
            let Some(budget) = &budget else { return Ok(()) };
            self.disruption_budget.apply(ground, budget).await.map(drop)
        };
        let pull_secret = blueprint.pull_secret(&owner);
        // Boxed: the futures of the API's client are large.
        let pull_secret = Box::pin(async {
            let Some(secret) = &pull_secret else { return Ok(()) };
            self.pull_secret.apply(ground, secret).await.map(drop)
        });
        tokio::try_join!(
            pull_secret,
            self.secret.apply(ground, &secret),
            self.endpoint_slice.apply(ground, &slice),
            self.network_policy.apply(ground, &policy),
            budget,
        )?;
        self.deployment.apply(ground, &deployment).await?;
        Ok(lifted)
    }

    /// Applies another number of pods, of which nothing else has changed.
    pub(crate) async fn resize(
        &mut self,
        ground: &Ground,
        blueprint: &Blueprint<'_>,
    ) -> Result<Vec<Lifted>, ApplyError> {
        let Some(service) = self.service.applied() else {
            return self.apply(ground, blueprint).await;
        };
        let (owner, address) = (owner(service), address(service)?);
        let Deployed { deployment, lifted } = blueprint.deployment(&owner, address)?;
        self.deployment.apply(ground, &deployment).await?;
        Ok(lifted)
    }

    /// How many pods somebody else wants, who has scaled the Deployment.
    pub(crate) fn scaled(&self, observed: &Observed, identity: &Identity) -> Option<u16> {
        let live = find(&observed.deployments, identity)?;
        let number = |deployment: &Deployment| deployment.spec.as_ref()?.replicas;
        let is_another = self.deployment.applied().map(number) != Some(number(&live));
        let counts = is_another && self.deployment.is_outdated_by(&live);
        u16::try_from(number(&live)?).ok().filter(|_| counts)
    }

    /// What someone else did to them, in words. The Secret is not looked at: nobody who
    /// may watch one Secret may be kept from the others of its namespace.
    pub(crate) fn departures(&mut self, observed: &Observed, identity: &Identity) -> Vec<String> {
        let all = [
            of_kind(&mut self.deployment, &observed.deployments, identity),
            of_kind(&mut self.service, &observed.services, identity),
            of_kind(&mut self.endpoint_slice, &observed.endpoint_slices, identity),
            of_kind(&mut self.network_policy, &observed.network_policies, identity),
            of_kind(&mut self.disruption_budget, &observed.disruption_budgets, identity),
        ];
        all.into_iter().flatten().collect()
    }
}

fn of_kind<K: Kind>(kept: &mut Kept<K>, store: &Store<K>, identity: &Identity) -> Option<String> {
    let live = super::observed::find(store, identity);
    let kind = K::kind(&());
    let name = &identity.name;
    kept.departure(live.as_deref()).map(|departure| match departure {
        Departure::Gone => format!("the {kind} {name} was deleted"),
        Departure::Changed(field) => format!("the {kind} {name} was edited ({field})"),
    })
}

/// Ends a chaincode's pods, and keeps its objects for the next start. Its Secret
/// is left: the authority of its certificate ended with the run.
pub(crate) async fn scale_to_zero(ground: &Ground, name: &str) -> Result<(), ApiFailure> {
    let patch = Patch::Merge(json!({
        "metadata": {"annotations": {STOPPED_AT: Timestamp::now().to_string()}},
        "spec": {"replicas": 0},
    }));
    let parameters = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    let api = ground.api::<Deployment>();
    let act = format!("scale the Deployment {name} to zero");
    match call(&act, api.patch(name, &parameters, &patch)).await {
        Err(failure) if failure.is_not_found() => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// Deletes what a Deployment is of: the Service that owns it.
pub(crate) async fn forget(ground: &Ground, deployment: &Deployment) -> Result<(), ApiFailure> {
    let owner = deployment.owner_references().first().map(|owner| owner.uid.clone());
    let preconditions = Preconditions { uid: owner, resource_version: None };
    delete(ground, &deployment.name_any(), Some(preconditions)).await
}

/// Deletes the Service, which owns all the rest.
pub(crate) async fn delete(
    ground: &Ground,
    name: &str,
    preconditions: Option<Preconditions>,
) -> Result<(), ApiFailure> {
    let parameters = DeleteParams { preconditions, ..DeleteParams::background() };
    let act = format!("delete the Service {name}");
    match call(&act, ground.api::<Service>().delete(name, &parameters)).await {
        Err(failure) if failure.is_not_found() => Ok(()),
        outcome => outcome.map(drop),
    }
}

#[cfg(test)]
mod tests;
