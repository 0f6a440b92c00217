//! What builds depend on is kept for the next, in a volume that no build can write to.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use cluster::Cluster;
use e2e::chaincode_dir;
use fabric_on_kubernetes::{BuildCache, Fabric, FabricSpec, PeerPod};
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::shared::{BUILDER, LIMIT, MSP_ID, copy, new_program, on_fabric_of, one, package};

/// A small module that depends on none.
const MODULE: (&str, &str) = ("github.com/google/uuid", "v1.6.0");
const SUMS: &str = "github.com/google/uuid v1.6.0 h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0=\n\
     github.com/google/uuid v1.6.0/go.mod h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo=\n";

/// A network whose builds have a volume for what they depend on.
pub(crate) fn with_cache(cluster: &Cluster, namespace: &str) -> FabricSpec {
    BuildCache::at(cluster, namespace).of(one(namespace)).unwrap()
}

/// A program that needs the module, and of which no registry has an image.
fn program(fabric: &Fabric, name: &str) -> PathBuf {
    let source = new_program(fabric, name);
    let (module, version) = MODULE;
    let go_mod = fs::read_to_string(source.join("go.mod")).unwrap();
    fs::write(source.join("go.mod"), format!("{go_mod}\nrequire {module} {version}\n")).unwrap();
    fs::write(source.join("go.sum"), SUMS).unwrap();
    let uses = format!("package main\n\nimport \"{module}\"\n\nvar _ = uuid.New\n");
    fs::write(source.join("uses.go"), uses).unwrap();
    package(fabric, &source, &format!("{name}_1.0"))
}

/// The install fails with these words.
async fn refused(peer: &PeerPod, file: &Path, parts: &[&str]) {
    peer.install(file).unwrap_err();
    peer.await_line("peer", &[&[BUILDER], parts].concat(), LIMIT).await.unwrap();
}

/// Another module in its place, as it would be if a build could write there.
fn poison(cache: &BuildCache) {
    let (module, version) = MODULE;
    let archives = cache.directory().join("go/modules/cache/download").join(module).join("@v");
    let [archive, other] = ["zip", "other"].map(|kind| archives.join(format!("{version}.{kind}")));
    let mut from = ZipArchive::new(File::open(&archive).unwrap()).unwrap();
    let mut to = ZipWriter::new(File::create(&other).unwrap());
    for at in 0..from.len() {
        to.raw_copy_file(from.by_index(at).unwrap()).unwrap();
    }
    let more = format!("{module}@{version}/more.go");
    to.start_file(more, SimpleFileOptions::default()).unwrap();
    to.write_all(b"package uuid\n\nfunc init() { panic(\"poisoned\") }\n").unwrap();
    to.finish().unwrap();
    cache.give(&other).unwrap();
    fs::rename(other, archive).unwrap();
}

#[test]
fn go_modules_are_fetched_once_and_checked_each_time() {
    let spec = |cluster: &Cluster| with_cache(cluster, "go-cache");
    on_fabric_of(spec, async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        peer.install(&program(fabric, "go-cache-first")).unwrap();
        // From here on there is nobody to fetch from.
        peer.say("builds.environment", json!({ "GOPROXY": "off" })).await.unwrap();
        peer.install(&program(fabric, "go-cache-second")).unwrap();

        poison(&BuildCache::at(cluster, "go-cache"));
        let sums = ["github.com/google/uuid@v1.6.0", "checksum mismatch"];
        refused(peer, &program(fabric, "go-cache-third"), &sums).await;
    });
}

/// What a build runs of a package: it ends the build with an error unless all is as it should be.
const ATTACK: &str = r"
const fs = require('fs');
const path = require('path');
const cache = '/selvedge-dependencies';
const tries = {
    'a new file': () => fs.writeFileSync(path.join(cache, 'new'), 'x'),
    'a new directory': () => fs.mkdirSync(path.join(cache, 'go')),
    'another name': () => fs.renameSync(path.join(cache, 'npm'), path.join(cache, 'other')),
};
for (const [what, attempt] of Object.entries(tries)) {
    try {
        attempt();
    } catch (error) {
        if (error.code === 'EROFS') continue;
        throw error;
    }
    throw new Error(`the cache took ${what}`);
}
if (!fs.existsSync(path.join(cache, 'npm/_cacache/content-v2'))) throw new Error('there is no cache');
";

/// Our own chaincode for Node, with the script that a build runs of it.
fn attacker(fabric: &Fabric, name: &str) -> PathBuf {
    let source = fabric.network().dir().join("sources").join(name);
    copy(&chaincode_dir("javascript"), &source);
    fs::write(source.join("attack.js"), ATTACK).unwrap();
    let file = source.join("package.json");
    let mut description: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    description["scripts"]["preinstall"] = json!("node attack.js");
    description["description"] = json!(name);
    fs::write(&file, description.to_string()).unwrap();
    with_addresses(&source.join("package-lock.json"));
    package(fabric, &source, &format!("{name}_1.0"))
}

/// Adds to a lock file what npm writes into it unless it is told not to.
pub(crate) fn with_addresses(file: &Path) {
    let mut lock: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    for (place, locked) in lock["packages"].as_object_mut().unwrap() {
        if let Some((_, name)) = place.rsplit_once("node_modules/") {
            let (base, version) = (name.rsplit('/').next().unwrap(), locked["version"].as_str());
            let archive = format!("{base}-{}.tgz", version.unwrap());
            let address = format!("https://registry.npmjs.org/{name}/-/{archive}");
            locked["resolved"] = json!(address);
        }
    }
    fs::write(file, lock.to_string()).unwrap();
}

#[test]
fn node_packages_are_fetched_once_and_scripts_cannot_write_where_they_are() {
    let spec = |cluster: &Cluster| with_cache(cluster, "node-cache");
    on_fabric_of(spec, async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        peer.install(&attacker(fabric, "node-cache-first")).unwrap();
        let nobody = json!({ "npm_config_offline": "true" });
        peer.say("builds.environment", nobody).await.unwrap();
        peer.install(&attacker(fabric, "node-cache-second")).unwrap();
    });
}
