//! Node chaincode, packaged by the real binary with the real npm, and without a network.

use std::fs;
use std::path::Path;
use std::process::Command;

use crafted::{Crafted, gzip, tar};
use selvedge_buildpack::archive::{Limits, Modes, gunzip, unpack};

use crate::{check, command, selvedge};

const SECRET: &str = "s3cret";

/// A dependency that has something to compile; what it does there is what node-gyp does.
const NATIVE: &str =
    r#"{"name": "native", "version": "1.0.0", "scripts": {"install": "node install.js"}}"#;
const INSTALL: &str = "const fs = require('fs'), path = 'build/Release';
fs.mkdirSync(path, { recursive: true });
fs.writeFileSync(`${path}/native.node`, 'program');
fs.writeFileSync('build/config.gypi', JSON.stringify(process.env));
fs.writeFileSync('build/native.target.mk', JSON.stringify(process.env));
";

/// A chaincode with that dependency, in the directory `asset` of this one.
fn chaincode(directory: &Path) {
    let asset = directory.join("asset");
    fs::create_dir(&asset).unwrap();
    let package = r#"{
        "name": "asset", "version": "1.0.0",
        "scripts": {"start": "node index.js"},
        "dependencies": {"native": "file:native.tgz"}
    }"#;
    fs::write(asset.join("package.json"), package).unwrap();
    fs::write(asset.join("index.js"), "").unwrap();
    let native = tar([
        Crafted::file("package/package.json", NATIVE),
        Crafted::file("package/install.js", INSTALL),
    ]);
    fs::write(asset.join("native.tgz"), gzip(&native)).unwrap();
}

#[test]
fn no_credential_goes_along_with_native_modules() {
    let directory = tempfile::tempdir().unwrap();
    chaincode(directory.path());
    let packaged =
        command(directory.path(), &["package", "asset", "--vendor", "-l", "a", "--json"])
            .env("npm_config_registry", format!("http://user:{SECRET}@localhost:1/"))
            .env("npm_config__authToken", SECRET)
            .output()
            .unwrap();
    let module = "src/node_modules/native/build/Release/native.node";
    check(&packaged, 0, &[module], &["taking dependencies along: npm install"]);
    let [outer, code] = ["outer", "code"].map(|name| directory.path().join(name));
    unpacked(&directory.path().join("a.tar.gz"), &outer);
    unpacked(&outer.join("code.tar.gz"), &code);
    assert!(code.join(module).exists());
    let grep = Command::new("grep").args(["--recursive", SECRET]).arg(&code).output().unwrap();
    assert_eq!(
        (grep.status.code(), String::from_utf8(grep.stdout).unwrap()),
        (Some(1), String::new())
    );
}

/// What npm writes of a dependency that has an `install` script.
#[test]
fn whose_scripts_run_at_an_install_is_told() {
    let directory = tempfile::tempdir().unwrap();
    chaincode(directory.path());
    let asset = directory.path().join("asset");
    let npm = Command::new("npm")
        .args(["install", "--package-lock-only", "--offline", "--no-audit", "--no-fund"])
        .current_dir(&asset)
        .output()
        .unwrap();
    assert!(npm.status.success(), "{}", String::from_utf8_lossy(&npm.stderr));
    let told = [
        "to know\n",
        "package-lock.json names packages that run scripts of their own when they are installed",
        ": native\n",
    ];
    let packaged = selvedge(directory.path(), &["package", "asset", "-l", "a", "--no-compile"]);
    check(&packaged, 0, &told, &[]);
    check(&selvedge(directory.path(), &["inspect", "a.tar.gz"]), 0, &told, &[]);
}

#[test]
fn what_no_image_can_be_made_of_is_told_before_it_is_packaged() {
    let directory = tempfile::tempdir().unwrap();
    chaincode(directory.path());
    let scripts = r#""install": "ln -s /etc node_modules/away", "start""#;
    let package = directory.path().join("asset/package.json");
    let text = fs::read_to_string(&package).unwrap().replace("\"start\"", scripts);
    fs::write(&package, text).unwrap();
    let refused = selvedge(directory.path(), &["package", "asset", "-l", "a"]);
    let reason = "node_modules/away is a symbolic link to `/etc`, which does not lead";
    check(&refused, 1, &[], &[reason]);
}

#[test]
fn workspaces_are_not_taken_along() {
    let directory = tempfile::tempdir().unwrap();
    chaincode(directory.path());
    let package = directory.path().join("asset/package.json");
    let text = fs::read_to_string(&package).unwrap();
    let members = text.replace("\"scripts\"", r#""workspaces": ["packages/*"], "scripts""#);
    fs::write(&package, members).unwrap();
    let refused = selvedge(directory.path(), &["package", "asset", "--vendor", "-l", "a"]);
    check(&refused, 1, &[], &["error: workspaces cannot be taken along"]);
}

fn unpacked(archive: &Path, target: &Path) {
    fs::create_dir(target).unwrap();
    let tar = gunzip(fs::File::open(archive).unwrap()).unwrap();
    unpack(tar, target, Limits::SOURCE, Modes::Source).unwrap();
}
