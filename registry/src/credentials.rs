//! Credentials for registries, as a `kubernetes.io/dockerconfigjson` Secret keeps them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;

/// The names under which Docker's own registry is kept.
const DOCKER_HUB: [&str; 4] =
    ["docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"];

/// The content of a Docker `config.json`, as far as it matters here.
#[derive(Deserialize)]
pub struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
}

#[derive(Deserialize)]
struct DockerAuth {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default, alias = "registrytoken")]
    registry_token: String,
}

/// Why there are no credentials in a `config.json`. Says nothing of what is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say all")]
pub enum CredentialsError {
    #[error("it is not a Docker config.json (line {line}, column {column})")]
    Malformed { line: usize, column: usize },
    #[error("it has nothing for the registry {0}")]
    Unknown(String),
    #[error("its `auth` for the registry {0} is not the base64 of user:password")]
    Auth(String),
}

impl DockerConfig {
    /// Parses the JSON.
    pub fn parse(json: &[u8]) -> Result<Self, CredentialsError> {
        // The parser's own words may quote the content.
        serde_json::from_slice(json).map_err(|error| CredentialsError::Malformed {
            line: error.line(),
            column: error.column(),
        })
    }

    /// What to authenticate with at `registry` (`HOST[:PORT]`).
    pub fn for_registry(&self, registry: &str) -> Result<RegistryAuth, CredentialsError> {
        let is_it = |key: &str| {
            key == registry
                || host(key) == registry
                || (DOCKER_HUB.contains(&registry) && DOCKER_HUB.contains(&key))
        };
        let (_, found) = self
            .auths
            .iter()
            .find(|(key, _)| is_it(key))
            .ok_or_else(|| CredentialsError::Unknown(registry.to_owned()))?;
        found.decode().ok_or_else(|| CredentialsError::Auth(registry.to_owned()))
    }
}

impl DockerAuth {
    fn decode(&self) -> Option<RegistryAuth> {
        if !self.registry_token.is_empty() {
            return Some(RegistryAuth::Bearer(self.registry_token.clone()));
        }
        if self.auth.is_empty() {
            let named = !self.username.is_empty();
            return named
                .then(|| RegistryAuth::Basic(self.username.clone(), self.password.clone()));
        }
        let decoded = BASE64_STANDARD.decode(self.auth.trim()).ok()?;
        let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some(RegistryAuth::Basic(user.to_owned(), password.to_owned()))
    }
}

/// The host and port of a key, which may be a whole address.
fn host(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"auths": {
        "registry.example.com": {"auth": "dXNlcjpwYXNzOndvcmQ="},
        "https://127.0.0.1:5000/v2/": {"username": "a", "password": "b"},
        "https://index.docker.io/v1/": {"registrytoken": "t"},
        "broken.example.com": {"auth": "dXNlcg=="},
        "empty.example.com": {}
    }, "credHelpers": {}}"#;

    #[test]
    fn finds_the_registrys_credentials() {
        let config = DockerConfig::parse(CONFIG.as_bytes()).unwrap();
        for (registry, auth) in [
            ("registry.example.com", RegistryAuth::Basic("user".into(), "pass:word".into())),
            ("127.0.0.1:5000", RegistryAuth::Basic("a".into(), "b".into())),
            ("docker.io", RegistryAuth::Bearer("t".into())),
        ] {
            assert_eq!(config.for_registry(registry).unwrap(), auth, "{registry}");
        }
    }

    #[test]
    fn says_what_is_wrong_but_not_what_is_in_it() {
        let config = DockerConfig::parse(CONFIG.as_bytes()).unwrap();
        for (registry, reason) in [
            ("other.example.com", "has nothing for the registry other.example.com"),
            ("broken.example.com", "base64 of user:password"),
            ("empty.example.com", "base64 of user:password"),
        ] {
            let error = config.for_registry(registry).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        let malformed = DockerConfig::parse(br#"{"auths": {"a": "secret"}}"#);
        let error = malformed.err().unwrap().to_string();
        assert!(error.contains("line 1") && !error.contains("secret"), "{error}");
    }
}
