//! Private modules and packages: fetched with credentials that the code which is built never sees.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cluster::Cluster;
use e2e::chaincode_dir;
use fabric_on_kubernetes::{Fabric, FabricSpec, PeerPod};
use selvedge_buildpack::digest::Sha256;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::dependencies::{directory, with_cache};
use crate::guarded::{Files, Guarded, PASSWORD, USER};
use crate::shared::{BUILDER, LIMIT, MSP_ID, copy, new_program, on_fabric_of, package};

const NAMESPACE: &str = "private";

/// The module, at its one version.
const MODULE: &str = "selvedge.example/private";
const VERSION: &str = "v1.0.0";
const GO_MOD: &str = "module selvedge.example/private\n\ngo 1.24\n";
const GO: &str = "package private\n\n// Name is what it is called.\nconst Name = \"private\"\n";

/// The package, at its one version.
const PACKAGE: &str = "selvedge-private";
const ARCHIVE: &str = "/npm/selvedge-private/-/selvedge-private-1.0.0.tgz";

/// The module as a proxy has it (<https://go.dev/ref/mod#goproxy-protocol>).
fn module(files: &mut Files) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [("go.mod", GO_MOD), ("private.go", GO)] {
        let name = format!("{MODULE}@{VERSION}/{name}");
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    let zip = zip.finish().unwrap().into_inner();
    let info = json!({ "Version": VERSION, "Time": "2026-01-01T00:00:00Z" });
    for (kind, content) in
        [("mod", GO_MOD.into()), ("zip", zip), ("info", info.to_string().into_bytes())]
    {
        files.insert(format!("/go/{MODULE}/@v/{VERSION}.{kind}"), content);
    }
}

/// Go's hash of files (`golang.org/x/mod/sumdb/dirhash`, `Hash1`).
fn hash(files: &[(&str, &str)]) -> String {
    let line =
        |(name, text): &(&str, &str)| format!("{}  {name}\n", Sha256::of(text.as_bytes()).hex());
    let lines: String = files.iter().map(line).collect();
    let digits = Sha256::of(lines.as_bytes()).hex();
    let bytes: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect();
    format!("h1:{}", BASE64_STANDARD.encode(bytes))
}

/// A program that needs the module.
fn program(fabric: &Fabric) -> PathBuf {
    let source = new_program(fabric, "private-go");
    let go_mod = fs::read_to_string(source.join("go.mod")).unwrap();
    fs::write(source.join("go.mod"), format!("{go_mod}\nrequire {MODULE} {VERSION}\n")).unwrap();
    let names = ["go.mod", "private.go"].map(|name| format!("{MODULE}@{VERSION}/{name}"));
    let whole = hash(&[(&names[0], GO_MOD), (&names[1], GO)]);
    let of_mod = hash(&[("go.mod", GO_MOD)]);
    let sums = format!("{MODULE} {VERSION} {whole}\n{MODULE} {VERSION}/go.mod {of_mod}\n");
    fs::write(source.join("go.sum"), sums).unwrap();
    let uses =
        format!("package main\n\nimport \"{MODULE}\"\n\nfunc init() {{ println(private.Name) }}\n");
    fs::write(source.join("uses.go"), uses).unwrap();
    package(fabric, &source, "private-go_1.0")
}

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
    let netrc = format!("machine {https} login {USER} password {PASSWORD}\n");
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
    grep.args(["-e", PASSWORD, "-e", &encoded]).arg(directory(cluster, NAMESPACE));
    assert_eq!(grep.status().unwrap().code(), Some(1), "the volume has the password");

    let script = "cat /var/hyperledger/production/externalbuilder/builds/*/bld/image.json";
    let images = peer.exec("peer", &["sh", "-c", script]).unwrap();
    let images = serde_json::Deserializer::from_str(&images).into_iter::<Value>();
    let images: Vec<Value> = images.collect::<Result<_, _>>().unwrap();
    assert_eq!(images.len(), 2);
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

#[test]
fn what_is_private_is_fetched_and_nothing_that_is_built_sees_how() {
    let (place, guarded) = (tempfile::tempdir().unwrap(), OnceLock::new());
    let (archive, integrity) = archive(place.path());
    let network = |cluster: &Cluster| {
        let guarded = guarded.get_or_init(|| {
            let mut files: Files = BTreeMap::from([(ARCHIVE.to_owned(), archive.clone())]);
            module(&mut files);
            Guarded::start(cluster.host_address(), files)
        });
        spec(cluster, guarded)
    };
    on_fabric_of(network, async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let file = program(fabric);
        peer.install(&file).unwrap_err();
        peer.await_line("peer", &[BUILDER, MODULE, "401"], LIMIT).await.unwrap();

        peer.say("builds.credentials", json!({ "secret": "modules" })).await.unwrap();
        peer.install(&file).unwrap();
        let at = guarded.get().map(|guarded| guarded.http).unwrap();
        peer.install(&chaincode(fabric, at, &integrity)).unwrap();
        expect_no_trace(cluster, fabric, peer).await;
    });
}
