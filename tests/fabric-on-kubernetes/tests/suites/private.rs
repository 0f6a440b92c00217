//! Private modules and packages: fetched with credentials that the code which is built never sees.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cluster::Cluster;
use e2e::chaincode_dir;
use fabric_on_kubernetes::{BuildCache, Fabric, FabricSpec, PeerPod};
use serde_json::{Value, json};

use crate::dependencies::with_cache;
use crate::go_modules::{self, Module};
use crate::guarded::{Files, Guarded, PASSWORD, USER};
use crate::shared::{BUILDER, LIMIT, MSP_ID, copy, on_fabric_of, package};

const NAMESPACE: &str = "private";

/// The package, at its one version.
const PACKAGE: &str = "selvedge-private";
const ARCHIVE: &str = "/npm/selvedge-private/-/selvedge-private-1.0.0.tgz";

/// The package's archive, and its hash for lock files.
fn archive(place: &Path) -> (Vec<u8>, String) {
    let source = place.join(PACKAGE);
    fs::create_dir_all(&source).unwrap();
    let description = json!({ "name": PACKAGE, "version": "1.0.0", "main": "index.js" });
    fs::write(source.join("package.json"), description.to_string()).unwrap();
    fs::write(source.join("index.js"), "module.exports = 'private';\n").unwrap();
    let mut pack = Command::new("npm");
    pack.args(["pack", "--json", "--pack-destination"]).arg(place).arg(&source);
    let packed = pack.current_dir(place).stderr(Stdio::inherit()).output().unwrap();
    let told: Value = serde_json::from_slice(&packed.stdout).unwrap();
    let text = |field: &str| told[0][field].as_str().unwrap().to_owned();
    (fs::read(place.join(text("filename"))).unwrap(), text("integrity"))
}

/// What a build runs of a package: it looks for the password in all that it can read, and ends the
/// build with an error if it finds it. The password is spelled backwards here, or it would.
fn spy() -> String {
    let backwards: String = PASSWORD.chars().rev().collect();
    SPY.replace("BACKWARDS", &backwards).replace("USER", USER)
}

const SPY: &str = r"
const fs = require('fs');
const path = require('path');
const password = [...'BACKWARDS'].reverse().join('');
const texts = [password, Buffer.from(`USER:${password}`).toString('base64')];
let files = 0;
function look(file) {
    let found;
    try {
        found = fs.lstatSync(file);
        if (found.isDirectory()) return fs.readdirSync(file).forEach(name => look(path.join(file, name)));
        if (!found.isFile()) return;
        const content = fs.readFileSync(file, 'latin1');
        files += 1;
        if (!texts.some(text => content.includes(text))) return;
    } catch (error) {
        return;
    }
    throw new Error(`${file} has it`);
}
for (const name of fs.readdirSync('/')) {
    if (name !== 'proc' && name !== 'sys' && name !== 'dev') look(path.join('/', name));
}
for (const pid of fs.readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    for (const name of ['environ', 'cmdline', 'mounts']) look(path.join('/proc', pid, name));
}
if (fs.existsSync('/selvedge-credentials')) throw new Error('they are mounted');
if (Object.values(process.env).some(value => texts.some(text => value.includes(text)))) {
    throw new Error('the environment has it');
}
if (files < 1000) throw new Error(`only ${files} files were looked into`);
";

/// Our own chaincode for Node with the package among its dependencies, and a spy.
fn chaincode(fabric: &Fabric, at: SocketAddr, integrity: &str) -> PathBuf {
    let source = fabric.network().dir().join("sources/private-node");
    copy(&chaincode_dir("javascript"), &source);
    fs::write(source.join("spy.js"), spy()).unwrap();
    let edit = |name: &str, change: &dyn Fn(&mut Value)| {
        let file = source.join(name);
        let mut value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        change(&mut value);
        fs::write(file, value.to_string()).unwrap();
    };
    edit("package.json", &|description| {
        description["dependencies"][PACKAGE] = json!("1.0.0");
        description["scripts"]["preinstall"] = json!("node spy.js");
    });
    edit("package-lock.json", &|lock| {
        lock["packages"][""]["dependencies"][PACKAGE] = json!("1.0.0");
        lock["packages"][format!("node_modules/{PACKAGE}")] = json!({
            "version": "1.0.0",
            "resolved": format!("http://{at}{ARCHIVE}"),
            "integrity": integrity,
        });
    });
    package(fabric, &source, "private-node_1.0")
}

/// A network whose builds fetch from the server as somebody that it knows.
fn spec(cluster: &Cluster, guarded: &Guarded) -> FabricSpec {
    let Guarded { https, http, authority } = guarded;
    // Go looks for a host as a URL has it, Git for its name alone.
    let machine = |host: String| format!("machine {host} login {USER} password {PASSWORD}\n");
    let netrc = machine(https.to_string()) + &machine(https.ip().to_string());
    let npmrc = format!("//{http}/npm/:_authToken={PASSWORD}\n");
    let object = |kind: &str, name: &str, field: &str, content: Value| json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name }, field: content });
    let mut spec = with_cache(cluster, NAMESPACE)
        .say("builds.environment", json!({ "GOPROXY": format!("https://{https}/go") }))
        .say("builds.caBundle", json!({ "configMap": "authority" }))
        .say("builds.egress.allow", json!([format!("{}/32", https.ip())]));
    let files = json!({ ".netrc": netrc, ".npmrc": npmrc });
    spec.before.push(object("Secret", "modules", "stringData", files));
    spec.before.push(object("ConfigMap", "authority", "data", json!({ "ca.pem": authority })));
    spec
}

/// All that a build leaves has the password nowhere.
async fn expect_no_trace(cluster: &Cluster, fabric: &Fabric, peer: &PeerPod) {
    let encoded = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let clean = |what: &str, content: &str| {
        let has = [PASSWORD, &encoded].iter().any(|text| content.contains(text));
        assert!(!has, "{what} has the password");
    };
    for container in ["peer", "launcher"] {
        clean(container, &peer.log(container).await.unwrap());
    }
    let objects = ["get", "jobs,pods,configmaps,events,networkpolicies", "-o", "yaml"];
    clean("an object", &fabric.namespace().kubectl(&objects).unwrap());
    let mut grep = Command::new("grep");
    grep.args(["--recursive", "--quiet", "--fixed-strings", "--text"]);
    grep.args(["-e", PASSWORD, "-e", &encoded]).arg(BuildCache::at(cluster, NAMESPACE).directory());
    assert_eq!(grep.status().unwrap().code(), Some(1), "the volume has the password");

    let script = "cat /var/hyperledger/production/externalbuilder/builds/*/bld/image.json";
    let images = peer.exec("peer", &["sh", "-c", script]).unwrap();
    let images = serde_json::Deserializer::from_str(&images).into_iter::<Value>();
    let images: Vec<Value> = images.collect::<Result<_, _>>().unwrap();
    assert_eq!(images.len(), 3);
    for image in images {
        let text = |field: &str| image[field].as_str().unwrap();
        let reference = format!("{}@{}", text("name"), text("digest"));
        for part in ["export", "config", "manifest"] {
            let mut crane = Command::new(cluster.tools().program("crane"));
            let crane = crane.args([part, "--insecure", &reference]).stderr(Stdio::inherit());
            let content = crane.output().unwrap();
            assert!(content.status.success());
            clean(&reference, &String::from_utf8_lossy(&content.stdout));
        }
    }
}

/// Has modules of the server's own be fetched by Git, of which its image knows.
async fn use_repositories(cluster: &Cluster, peer: &PeerPod, guarded: &Guarded) {
    peer.say("builds.toolchains.go.image", json!(cluster.image("toolchain-c"))).await.unwrap();
    let private = json!({ "GOPRIVATE": guarded.https.ip() });
    peer.say("builds.environment", private).await.unwrap();
}

#[test]
fn what_is_private_is_fetched_and_nothing_that_is_built_sees_how() {
    let (place, guarded) = (tempfile::tempdir().unwrap(), OnceLock::new());
    let (archive, integrity) = archive(place.path());
    let of_proxy = Module::named("selvedge.example/private");
    let of_repository = |at: SocketAddr| Module::named(&format!("{}/private.git", at.ip()));
    let network = |cluster: &Cluster| {
        let guarded = guarded.get_or_init(|| {
            let mut files: Files = BTreeMap::from([(ARCHIVE.to_owned(), archive.clone())]);
            let address = cluster.host_address();
            of_proxy.lay_out_for_proxies("/go", &mut files);
            // Go leaves the ending of the name away.
            of_repository((address, 0).into()).lay_out_for_git("/private", &mut files);
            Guarded::start(address, files)
        });
        spec(cluster, guarded)
    };
    on_fabric_of(network, async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let guarded = guarded.get().unwrap();
        let file = go_modules::program(fabric, "private-go", &of_proxy);
        peer.install(&file).unwrap_err();
        let unknown = [BUILDER, of_proxy.name(), "401"];
        peer.await_line("peer", &unknown, LIMIT).await.unwrap();

        peer.say("builds.credentials", json!({ "secret": "modules" })).await.unwrap();
        peer.install(&file).unwrap();
        peer.install(&chaincode(fabric, guarded.http, &integrity)).unwrap();
        use_repositories(cluster, peer, guarded).await;
        let of_repository = of_repository(guarded.https);
        peer.install(&go_modules::program(fabric, "private-git", &of_repository)).unwrap();
        expect_no_trace(cluster, fabric, peer).await;
    });
}
