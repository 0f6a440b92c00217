//! The configurations of registries: one open to all, one that asks who it is.

use std::path::Path;

use serde_json::{Value, json};

/// What a registry logs before its address.
pub(crate) const LISTENING: &str = "listening on ";

/// Who may use the guarded registry.
const USER: &str = "chaincode";

/// Whose hash is in [`HTPASSWD`].
const PASSWORD: &str = "right horse";

/// The guarded registry's users, as `htpasswd -B` writes them.
pub(crate) const HTPASSWD: &str =
    "chaincode:$2b$05$abcdefghijklmnopqrstuuB05BVy0V7KomGh8K56xgiHLq3Wkqh46\n";

/// A registry that serves only who knows the password: the same content as the cluster's other
/// one, at another port.
#[derive(Clone, Debug)]
pub struct GuardedRegistry {
    /// `ADDRESS:PORT`, over plain HTTP.
    pub address: String,
    /// The user.
    pub user: &'static str,
    /// The password.
    pub password: &'static str,
}

impl GuardedRegistry {
    pub(crate) fn at(address: String) -> Self {
        Self { address, user: USER, password: PASSWORD }
    }
}

/// A registry over plain HTTP at `address` whose content is in `content`. JSON, which is YAML.
pub(crate) fn configuration(address: &str, content: &Path) -> Value {
    json!({
        "version": 0.1,
        "log": { "level": "info", "accesslog": { "disabled": true } },
        "storage": {
            "filesystem": { "rootdirectory": content },
            "delete": { "enabled": true },
        },
        "http": { "addr": address },
    })
}

/// The same for the users in the file `htpasswd` alone.
pub(crate) fn guarded(address: &str, content: &Path, htpasswd: &Path) -> Value {
    let mut configuration = configuration(address, content);
    configuration["auth"] = json!({ "htpasswd": { "realm": "chaincode", "path": htpasswd } });
    configuration
}
