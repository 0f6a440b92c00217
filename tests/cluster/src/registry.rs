//! The configuration of a registry.

use std::path::Path;

use serde_json::{Value, json};

/// What the registry logs before its address.
pub(crate) const LISTENING: &str = "listening on ";

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
