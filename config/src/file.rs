//! The file as a whole.

use std::fmt;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::apart::Apart;
use crate::builds::Builds;
use crate::chaincode::Chaincode;
use crate::matching::Match;
use crate::registry::Registry;
use crate::socket_address::SocketAddress;

/// The file that is read if it is there, when no other is named.
pub const USUAL_FILE: &str = "/etc/selvedge/selvedge.yaml";

/// How chaincode is built and run: the file of Selvedge's operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct File {
    /// The version of what this file means.
    pub api_version: ApiVersion,
    /// What runs the chaincode. Taken up when the launcher starts.
    #[serde(default)]
    pub backend: BackendKind,
    /// Where the launcher answers to who asks how it is. Taken up when the launcher starts.
    #[serde(default)]
    pub health: Health,
    /// A page for browsers that shows what runs. Taken up when the launcher starts.
    #[serde(default)]
    pub page: Page,
    /// One launcher for several peers of an organisation, which it is not beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<Apart>,
    /// How chaincode becomes an image.
    #[serde(default)]
    pub builds: Builds,
    /// Where images are kept. Only on Kubernetes.
    #[serde(default)]
    pub registry: Registry,
    /// How chaincode runs.
    #[serde(default)]
    pub chaincode: Chaincode,
    /// What is otherwise for some: taken from the first to the last, and a later one wins, key by
    /// key. Maps are merged; lists, and the entries of `environment` and `files`, are replaced.
    #[serde(default)]
    pub overrides: Vec<Override>,
}

/// The versions of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first one.
    #[serde(rename = "selvedge/v1")]
    V1,
}

/// What runs the chaincode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BackendKind {
    /// Processes of the launcher's machine.
    #[default]
    Local,
    /// Deployments of the cluster that the launcher's pod is in.
    Kubernetes,
}

impl fmt::Display for BackendKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Local => "local",
            Self::Kubernetes => "kubernetes",
        })
    }
}

/// Where the launcher answers to who asks how it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Health {
    /// An address and a port, such as `0.0.0.0:8087`, where `/healthz`, `/readyz` and, for Prometheus,
    /// `/metrics` are served by plain HTTP. Default: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<SocketAddress>")]
    pub address: Option<SocketAddr>,
}

/// A page for browsers that shows what runs: its calls, errors and latencies, its replicas, its
/// builds, and what it writes. Nothing can be changed there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Page {
    /// An address and a port, such as `127.0.0.1:8088`, where it is served by plain HTTP. Nobody is
    /// asked who he is: whoever reaches it may read what chaincode writes. On a loopback address that
    /// is who is on the machine, or in the pod; in a cluster `kubectl port-forward` leads there.
    /// Default: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<SocketAddress>")]
    pub address: Option<SocketAddr>,
    /// Names by which browsers may ask for it, besides `localhost` and addresses: those of what stands
    /// before it, such as an ingress that asks who somebody is.
    pub hosts: Vec<String>,
}

/// What is otherwise for some chaincode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Override {
    /// For which.
    #[serde(rename = "match")]
    pub matching: Match,
    /// What is otherwise.
    pub chaincode: Chaincode,
}
