//! What the programs are made of, as a `CycloneDX` document (1.6, `cyclonedx.org/docs/1.6/json`): the
//! crates that are linked into them. It has no time and nothing random.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cargo::{cargo, output};

/// The document of programs of these packages, for this target.
pub(super) fn document(packages: &[&str], target: &str, version: &str) -> Result<String> {
    let mut tree = cargo(&["tree", "--locked", "--edges=normal", "--prefix=none"]);
    // What a program is linked with, once each: its name, version and license.
    tree.args(["--no-dedupe", "--format={p}|{l}", "--target", target]);
    for package in packages {
        tree.args(["--package", package]);
    }
    let lines = output(&mut tree)?;
    let crates: BTreeSet<&str> = lines.lines().filter(|line| !line.is_empty()).collect();
    let components: Result<Vec<Value>> = crates.into_iter().map(component).collect();
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": { "type": "application", "name": "selvedge", "version": version },
        },
        "components": components?,
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// A crate of a line such as `serde v1.0.229|MIT OR Apache-2.0`. One of the workspace has its place
/// behind the version, which is nobody's business.
fn component(line: &str) -> Result<Value> {
    let malformed = || format!("cargo says of a crate: {line}");
    let (id, license) = line.split_once('|').with_context(malformed)?;
    let mut words = id.split(' ');
    let name = words.next().with_context(malformed)?;
    let version = words.next().and_then(|word| word.strip_prefix('v')).with_context(malformed)?;
    let mut component = json!({ "type": "library", "name": name, "version": version });
    let is_ours = id.contains(" (/");
    if !is_ours {
        component["purl"] = json!(format!("pkg:cargo/{name}@{version}"));
    }
    // Older crates have a slash where SPDX has a word.
    let license = license.replace('/', " OR ");
    if !license.is_empty() {
        component["licenses"] = json!([{ "expression": license }]);
    }
    Ok(component)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_with_their_licenses() {
        let text = document(&["selvedge-keeper"], &crate::dist::host().unwrap(), "1.2.3").unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["metadata"]["component"]["version"], "1.2.3");
        let of = |name: &str| {
            let components = document["components"].as_array().unwrap();
            components.iter().find(|one| one["name"] == name).unwrap().clone()
        };
        let rustix = of("rustix");
        assert!(rustix["purl"].as_str().unwrap().starts_with("pkg:cargo/rustix@"));
        assert!(rustix["licenses"][0]["expression"].as_str().unwrap().contains("Apache-2.0"));
        let own = of("selvedge-keeper");
        assert_eq!(own["purl"], Value::Null);
        assert!(!text.contains(testbed::dist::workspace_dir().to_str().unwrap()));
    }
}
