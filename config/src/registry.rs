//! `registry`: where images are kept, and where they are fetched from.

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builds::Size;

/// Where chaincodes' images are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Registry {
    /// The images are kept in the repository `chaincode` below this prefix: `HOST[:PORT]/PREFIX`.
    /// The nodes of the cluster must be able to pull from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "repository"))]
    pub address: Option<String>,
    /// Speaks plain HTTP with the registry instead of HTTPS.
    pub plain_http: bool,
    /// The Secret with the registry's credentials, of the type `kubernetes.io/dockerconfigjson`:
    /// the launcher pushes with it, the nodes pull with it. It is looked for in the namespace of
    /// the builds, and has to be in each namespace of chaincode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Has the launcher be the registry, so that no other is needed: it keeps images in the directory
    /// `registry` of its data directory, for which a volume is best, and nodes pull from it. While
    /// `address` is said, new images are kept there, and what was kept here is still served. Taken up
    /// when the launcher starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serve: Option<Serve>,
    /// Where images are fetched from instead of from where their names say, such as a mirror
    /// inside: the first that fits is taken. A name without a host is one of `docker.io`.
    pub rewrites: Vec<Rewrite>,
}

/// The registry that a launcher serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Serve {
    /// What every node reaches it by: `HOST:PORT`, such as a node port on its loopback, which
    /// containerd speaks plain HTTP with by itself. Each peer of a cluster needs a port of its own.
    #[schemars(extend("format" = "registry-host"))]
    pub address: String,
    /// The port of the launcher's pod that this leads to. Pull only, and only by the password that the
    /// launcher gives to nodes with each chaincode.
    pub port: u16,
    /// How much may be kept altogether, such as `10GiB`: beyond it images go that were not used for
    /// longest. What runs stays. One that is gone is built again when it is called for.
    #[schemars(with = "Size")]
    pub limit: ByteSize,
}

impl Serve {
    /// The images are kept in the repository `chaincode` below this prefix.
    pub const PREFIX: &str = "selvedge";
}

impl Default for Serve {
    fn default() -> Self {
        Self { address: "localhost:30500".into(), port: 7060, limit: ByteSize::gib(10) }
    }
}

/// A beginning of images' names, and what is put in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rewrite {
    /// The beginning, up to a `/` or the whole name, such as `docker.io/library`.
    #[schemars(length(min = 1))]
    pub from: String,
    /// What it becomes, such as `mirror.example.com/hub`.
    #[schemars(length(min = 1))]
    pub to: String,
}

impl Registry {
    /// Where an image of this name is fetched from.
    pub fn rewritten(&self, image: &str) -> String {
        let applied = |name: &str| self.rewrites.iter().find_map(|rewrite| rewrite.applied(name));
        let found = applied(image).or_else(|| applied(&of_docker(image)?));
        found.unwrap_or_else(|| image.to_owned())
    }
}

impl Rewrite {
    /// The name with its beginning replaced, if it begins so.
    fn applied(&self, image: &str) -> Option<String> {
        let rest = image.strip_prefix(self.from.trim_end_matches('/'))?;
        let is_whole = rest.is_empty() || rest.starts_with(['/', ':', '@']);
        is_whole.then(|| format!("{}{rest}", self.to.trim_end_matches('/')))
    }
}

/// The whole name of an image that is named without a host, as whoever pulls it knows it
/// (`github.com/distribution/reference` `normalize.go`, `splitDockerDomain`).
fn of_docker(image: &str) -> Option<String> {
    match image.split_once('/') {
        None => Some(format!("docker.io/library/{image}")),
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => None,
        Some(_) => Some(format!("docker.io/{image}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rewrite_that_fits_is_taken() {
        let rewrite = |from: &str, to: &str| Rewrite { from: from.into(), to: to.into() };
        let rewrites = vec![
            rewrite("docker.io/library/", "mirror.example.com/hub"),
            rewrite("docker.io", "mirror.example.com"),
        ];
        let registry = Registry { rewrites, ..Registry::default() };
        for (image, expected) in [
            ("docker.io/library/golang:1.26", "mirror.example.com/hub/golang:1.26"),
            ("docker.io/me/app@sha256:00", "mirror.example.com/me/app@sha256:00"),
            ("docker.iota/me/app", "docker.iota/me/app"),
            ("me/app:1@sha256:00", "mirror.example.com/me/app:1@sha256:00"),
            ("golang:1.26", "mirror.example.com/hub/golang:1.26"),
            ("golang@sha256:00", "mirror.example.com/hub/golang@sha256:00"),
            ("localhost/me/app", "localhost/me/app"),
            ("host:5000/me/app", "host:5000/me/app"),
        ] {
            assert_eq!(registry.rewritten(image), expected);
        }
    }
}
