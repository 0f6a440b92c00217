//! Kubeconfig files: which API server, and as whom.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::certificates::Credentials;

/// A kubeconfig, whole in itself. JSON, which is YAML.
pub(crate) fn kubeconfig(server: &str, authority: &str, credentials: &Credentials) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "testbed", "cluster": {
            "server": server,
            "certificate-authority-data": STANDARD.encode(authority),
        }}],
        "users": [{ "name": "testbed", "user": {
            "client-certificate-data": STANDARD.encode(&credentials.certificate),
            "client-key-data": STANDARD.encode(&credentials.key),
        }}],
        "contexts": [{ "name": "testbed", "context": { "cluster": "testbed", "user": "testbed" }}],
        "current-context": "testbed",
    })
}
