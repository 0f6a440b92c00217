//! The container of a build's pod that fetches what the source depends on, and what it alone has.

use k8s_openapi::api::core::v1::{
    Container, PersistentVolumeClaimVolumeSource, SecretVolumeSource, Volume,
};
use selvedge_config::Builds;
use selvedge_manifest::container::{empty, mount};

use super::manifest::{BuildOrder, CREDENTIALS, FETCH};

/// The memory that it asks for.
const MEMORY: &str = "64Mi";

impl BuildOrder<'_> {
    /// Whether a container fetches for another, which builds.
    pub(super) fn fetches(&self) -> bool {
        let Builds { cache, credentials, .. } = self.settings;
        self.is_fetched && (cache.is_some() || credentials.is_some())
    }

    /// The container. It alone has credentials, and may write where others read: so its work is not
    /// that of the build, which waits for it: of what that asks for it may use, and asks for little
    /// itself.
    pub(super) fn fetch(&self) -> Container {
        let mut container = self.of_toolchain(FETCH, "fetch-job", FETCH);
        let own = self.own_resources(MEMORY).requests.unwrap_or_default();
        if let Some(resources) = &mut container.resources {
            resources.requests.get_or_insert_default().extend(own);
        }
        let arguments = container.args.get_or_insert_default();
        if let Some(cache) = &self.settings.cache {
            arguments.push(format!("--limit={}", cache.limit.as_u64()));
            arguments.push(format!("--time={}", self.limit));
        }
        if self.settings.credentials.is_some() {
            arguments.push(format!("--credentials={CREDENTIALS}"));
            let mounts = container.volume_mounts.get_or_insert_default();
            mounts.push(mount("credentials", CREDENTIALS, true));
        }
        container
    }

    /// Its own directory, that which both containers see, and the credentials.
    pub(super) fn volumes_to_fetch(&self) -> Vec<Volume> {
        let volumes =
            [empty(FETCH, &self.settings.disk.0), empty("fetched", "1Mi"), self.dependencies()];
        volumes.into_iter().chain(self.credentials()).collect()
    }

    /// The credentials, if there are any.
    pub(super) fn credentials(&self) -> Option<Volume> {
        self.settings.credentials.as_ref().map(|credentials| Volume {
            name: "credentials".to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(credentials.secret.clone()),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        })
    }

    /// What builds share, or what is fetched for this one alone.
    pub(super) fn dependencies(&self) -> Volume {
        let Some(cache) = &self.settings.cache else {
            return empty("dependencies", &self.settings.disk.0);
        };
        let claim = PersistentVolumeClaimVolumeSource {
            claim_name: cache.claim.clone(),
            ..PersistentVolumeClaimVolumeSource::default()
        };
        Volume {
            name: "dependencies".to_owned(),
            persistent_volume_claim: Some(claim),
            ..Volume::default()
        }
    }
}
