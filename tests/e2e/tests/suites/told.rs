//! What is told of an image beside it, as `selvedge inspect` tells it.

use std::fs;
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

/// How a package's image was built, as the statement has it that lies in the store beside it.
pub(crate) fn recipe(turn: &Turn<'_>, package_id: &str) -> Vec<String> {
    let image = image(&turn.build_dir(package_id));
    let blobs = store(turn.launcher.dir()).join("blobs/sha256");
    let of_image = |path: PathBuf| {
        // Layers are no statements, and others may come and go.
        let is_small = path.metadata().is_ok_and(|blob| blob.len() < 1 << 20);
        let blob: Value =
            serde_json::from_slice(&fs::read(path).ok().filter(|_| is_small)?).ok()?;
        let subject = blob["subject"][0]["digest"]["sha256"].as_str()?;
        image.ends_with(subject).then_some(blob)
    };
    let mut blobs = fs::read_dir(blobs).unwrap().map(|entry| entry.unwrap().path());
    let statement = blobs.find_map(of_image).expect("a statement");
    let recipe = &statement["predicate"]["buildDefinition"]["internalParameters"]["recipe"];
    let steps = recipe.as_array().unwrap().iter();
    steps.map(|step| step.as_str().unwrap().to_owned()).collect()
}
