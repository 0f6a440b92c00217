//! The registry as a build finds it: with the credentials that the Secret has at that time.

use k8s_openapi::api::core::v1::Secret;
use oci_client::secrets::RegistryAuth;

use super::super::failure::call;
use super::builds::Builds;
use super::error::ClusterBuildError;
use crate::registry::{CredentialsError, DockerConfig, Registry};

/// The key of a `kubernetes.io/dockerconfigjson` Secret.
const DOCKER_CONFIG: &str = ".dockerconfigjson";

impl Builds {
    /// The repository, with the credentials that the Secret has now.
    pub(super) async fn registry(&self) -> Result<Registry, ClusterBuildError> {
        let settings = &self.settings.registry;
        let auth = match self.docker_config().await? {
            Some(config) => config
                .for_registry(self.repository.registry())
                .map_err(|source| self.unusable(source))?,
            None => RegistryAuth::Anonymous,
        };
        Ok(Registry::new(&self.repository, settings.registry_plain_http, auth)?)
    }

    /// What the Secret has now, if there is to be one.
    pub(super) async fn docker_config(&self) -> Result<Option<DockerConfig>, ClusterBuildError> {
        let Some(name) = self.settings.registry.registry_secret.clone() else { return Ok(None) };
        let namespace = self.ground.namespace.clone();
        let act = format!("read the Secret {name}");
        let secret: Option<Secret> = call(&act, self.ground.api().get_opt(&name)).await?;
        let Some(secret) = secret else {
            return Err(ClusterBuildError::NoSecret { namespace, name });
        };
        let Some(json) = secret.data.as_ref().and_then(|data| data.get(DOCKER_CONFIG)) else {
            return Err(ClusterBuildError::NotDockerConfig { namespace, name });
        };
        DockerConfig::parse(&json.0).map(Some).map_err(|source| self.unusable(source))
    }

    fn unusable(&self, source: CredentialsError) -> ClusterBuildError {
        let namespace = self.ground.namespace.clone();
        let name = self.settings.registry.registry_secret.clone().unwrap_or_default();
        ClusterBuildError::Credentials { namespace, name, source }
    }
}
