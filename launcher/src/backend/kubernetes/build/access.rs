//! The registry as a build finds it: with the credentials that the Secret has at that time.

use k8s_openapi::api::core::v1::Secret;
use oci_client::secrets::RegistryAuth;

use super::super::failure::call;
use super::{Builds, ClusterBuildError};
use crate::registry::{DockerConfig, Registry};

/// The key of a `kubernetes.io/dockerconfigjson` Secret.
const DOCKER_CONFIG: &str = ".dockerconfigjson";

impl Builds {
    /// The repository, with the credentials that the Secret has now.
    pub(super) async fn registry(&self) -> Result<Registry, ClusterBuildError> {
        let settings = &self.settings.registry;
        let auth = match &settings.registry_secret {
            Some(name) => self.credentials(name).await?,
            None => RegistryAuth::Anonymous,
        };
        Ok(Registry::new(&self.repository, settings.registry_plain_http, auth)?)
    }

    async fn credentials(&self, name: &str) -> Result<RegistryAuth, ClusterBuildError> {
        let namespace = self.ground.namespace.clone();
        let act = format!("read the Secret {name}");
        let secret: Option<Secret> = call(&act, self.ground.api().get_opt(name)).await?;
        let name = name.to_owned();
        let Some(secret) = secret else {
            return Err(ClusterBuildError::NoSecret { namespace, name });
        };
        let Some(json) = secret.data.as_ref().and_then(|data| data.get(DOCKER_CONFIG)) else {
            return Err(ClusterBuildError::NotDockerConfig { namespace, name });
        };
        DockerConfig::parse(&json.0)
            .and_then(|config| config.for_registry(self.repository.registry()))
            .map_err(|source| ClusterBuildError::Credentials { namespace, name, source })
    }
}
