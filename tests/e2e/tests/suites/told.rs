//! What is told of an image beside it, as `selvedge inspect` tells it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use e2e::Turn;
use serde_json::Value;
use testbed::dist::dist_dir;

use crate::ledger;

/// The digest of the image that a peer keeps for a package, by the directory of its build.
pub(crate) fn image(build: &Path) -> String {
    let kept: Value = serde_json::from_slice(&ledger::read(&build.join("bld/image.json"))).unwrap();
    kept["digest"].as_str().unwrap().to_owned()
}

/// The image store of a launcher that works in this directory.
pub(crate) fn store(launcher: &Path) -> PathBuf {
    launcher.join("data/images")
}

/// `selvedge inspect` of an image in a store.
pub(crate) fn inspect(store: &Path, image: &str, arguments: &[&str]) -> Output {
    Command::new(dist_dir().join("bin/selvedge"))
        .arg("inspect")
        .arg(format!("oci:{}@{image}", store.display()))
        .args(arguments)
        .output()
        .unwrap()
}

/// What it printed, if it succeeded.
pub(crate) fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The package URLs of what a package's image is made of, which are told as they were by whoever built
/// it.
pub(crate) fn parts(turn: &Turn<'_>, package_id: &str) -> Vec<String> {
    let (store, image) = (store(turn.launcher.dir()), image(&turn.build_dir(package_id)));
    let sbom: Value =
        serde_json::from_str(&printed(&inspect(&store, &image, &["--sbom"]))).unwrap();
    assert_eq!(sbom["metadata"]["component"]["version"], image.as_str());
    let parts = sbom["components"].as_array().unwrap().iter();
    parts.filter_map(|part| part["purl"].as_str().map(str::to_owned)).collect()
}

/// The layers of a package's image, from the base up: digests, and sizes in bytes.
pub(crate) fn layers(turn: &Turn<'_>, package_id: &str) -> Vec<(String, u64)> {
    let image = image(&turn.build_dir(package_id));
    let hex = image.strip_prefix("sha256:").unwrap();
    let manifest = store(turn.launcher.dir()).join("blobs/sha256").join(hex);
    let manifest: Value = serde_json::from_slice(&ledger::read(&manifest)).unwrap();
    let layers = manifest["layers"].as_array().unwrap().iter();
    let described =
        |layer: &Value| Some((layer["digest"].as_str()?.to_owned(), layer["size"].as_u64()?));
    layers.map(|layer| described(layer).unwrap()).collect()
}
