//! What a variable of the environment, or a file, holds.

use k8s_openapi::api::core::v1::{ConfigMapKeySelector, EnvVarSource, SecretKeySelector};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an environment variable holds: a text, or what Kubernetes finds where it is told to look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Variable {
    /// This text. Numbers and `true` want quotes, as in every environment of Kubernetes.
    Value(String),
    /// A key of a Secret (`secretKeyRef`) or of a ConfigMap (`configMapKeyRef`), or a field of the
    /// pod. Not on the `local` backend.
    From(Box<EnvVarSource>),
}

/// What a file holds: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FileSource {
    /// A key of a Secret in the chaincode's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeySelector>,
    /// A key of a ConfigMap in the chaincode's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeySelector>,
}
