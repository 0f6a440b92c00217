//! The registry as a build finds it: with the credentials that the Secret has at that time.

use k8s_openapi::api::core::v1::Secret;
use oci_client::secrets::RegistryAuth;

use super::super::failure::call;
use super::builds::Builds;
use super::error::ClusterBuildError;
use super::said::Said;
use super::served::Served;
use selvedge_registry::{CredentialsError, DockerConfig, Registry};

/// The key of a `kubernetes.io/dockerconfigjson` Secret.
const DOCKER_CONFIG: &str = ".dockerconfigjson";

impl Builds {
    /// The repository, with the credentials that the Secret has now.
    pub(super) async fn registry(&self, said: &Said) -> Result<Registry, ClusterBuildError> {
        if let Some(served) = self.served_as(&said.repository.to_string()) {
            return Ok(served.registry()?);
        }
        let auth = match self.docker_config(said).await? {
            Some(config) => config
                .for_registry(said.repository.registry())
                .map_err(|source| self.unusable(said, source))?,
            None => RegistryAuth::Anonymous,
        };
        Ok(Registry::new(&said.repository, said.registry.plain_http, auth)?)
    }

    /// The registry that is served here, if its repository is called so.
    pub(super) fn served_as(&self, repository: &str) -> Option<&Served> {
        self.served.as_ref().filter(|served| served.repository().to_string() == repository)
    }

    /// How any registry is asked: over plain HTTP only if it is the one that is said to speak it, and
    /// with what the Secret has for it. What is wrong with the Secret shows when it is needed.
    pub(super) async fn access_to(&self, registry: &str, said: &Said) -> (bool, RegistryAuth) {
        let plain_http = said.registry.plain_http && registry == said.repository.registry();
        let config = self.docker_config(said).await.ok().flatten();
        let auth = config.and_then(|config| config.for_registry(registry).ok());
        (plain_http, auth.unwrap_or(RegistryAuth::Anonymous))
    }

    /// What the Secret has now, if there is to be one.
    pub(super) async fn docker_config(
        &self,
        said: &Said,
    ) -> Result<Option<DockerConfig>, ClusterBuildError> {
        let Some(name) = said.registry.secret.clone() else { return Ok(None) };
        let namespace = self.ground.namespace.clone();
        let act = format!("read the Secret {name}");
        let secret: Option<Secret> = call(&act, self.ground.api().get_opt(&name)).await?;
        let Some(secret) = secret else {
            return Err(ClusterBuildError::NoSecret { namespace, name });
        };
        let Some(json) = secret.data.as_ref().and_then(|data| data.get(DOCKER_CONFIG)) else {
            return Err(ClusterBuildError::NotDockerConfig { namespace, name });
        };
        DockerConfig::parse(&json.0).map(Some).map_err(|source| self.unusable(said, source))
    }

    fn unusable(&self, said: &Said, source: CredentialsError) -> ClusterBuildError {
        let namespace = self.ground.namespace.clone();
        let name = said.registry.secret.clone().unwrap_or_default();
        ClusterBuildError::Credentials { namespace, name, source }
    }
}
