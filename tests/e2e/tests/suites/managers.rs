//! Node chaincode whose dependencies were locked by another package manager than npm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{SharedStage, Stage, StageSpec, Turn};
use serde_json::{Value, json};
use testbed::node_managers::NodeManagers;
use testbed::{Definition, Release};

use crate::node::{copy, keeps_what_it_writes, package};

static STAGE: SharedStage = SharedStage::new(|| {
    let environment = vec![("PATH", managers().path())];
    Stage::raise(&StageSpec { environment, ..StageSpec::new(Release::V3_1_1) })
});

fn managers() -> NodeManagers {
    NodeManagers::obtain().unwrap_or_else(|error| panic!("{error:?}"))
}

/// A copy of a chaincode without npm's lock file.
fn unlocked(turn: &Turn<'_>, of: &str, name: &str) -> PathBuf {
    let source = copy(turn, of, name);
    fs::remove_file(source.join("package-lock.json")).unwrap();
    source
}

/// Has a package manager write its lock file, and leave nothing besides.
fn lock(source: &Path, command: &[&str]) {
    let locked = Command::new(command[0])
        .args(&command[1..])
        .current_dir(source)
        .env("PATH", managers().path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&locked.stdout);
    assert!(locked.status.success(), "{said}{}", String::from_utf8_lossy(&locked.stderr));
    // What the manager installs while it makes its list is the builder's to install.
    let _ = fs::remove_dir_all(source.join("node_modules"));
}

/// It is installed as a package of the `peer` CLI's, by the package manager of its lock file, and
/// lives on.
fn is_installed_by(turn: &Turn<'_>, source: &Path, name: &str, line: &str) {
    let package = package(turn, source, name);
    turn.network.deploy(&package, &Definition::new(name)).unwrap();
    keeps_what_it_writes(turn, name);
    let lines = turn.peer_lines();
    assert!(lines.contains(line), "{lines}");
}

#[test]
fn typescript_locked_by_pnpm() {
    let turn = STAGE.enter();
    let source = unlocked(&turn, "typescript", "pnpm");
    lock(&source, &["pnpm", "install", "--lockfile-only"]);
    is_installed_by(&turn, &source, "pnpm", "using pnpm v9.");
}

#[test]
fn javascript_locked_by_yarn_1() {
    let turn = STAGE.enter();
    let source = unlocked(&turn, "javascript", "yarn1");
    lock(&source, &["yarn", "install", "--ignore-scripts", "--non-interactive"]);
    is_installed_by(&turn, &source, "yarn1", "yarn install v1.");
}

/// A module by the standard, for engines that it names, with a Yarn that it brings along.
#[test]
fn an_ecmascript_module_locked_by_yarn_4() {
    const YARN: &str = ".yarn/releases/yarn-4.cjs";
    let turn = STAGE.enter();
    let source = unlocked(&turn, "javascript", "yarn4");
    let code = fs::read_to_string(source.join("index.js")).unwrap();
    let module = code
        .replace("'use strict';\n", "")
        .replace("const { Contract } = require('", "import { Contract } from '")
        .replace("-api');", "-api';")
        .replace("module.exports.contracts =", "export const contracts =");
    fs::write(source.join("index.js"), module).unwrap();
    let manifest = fs::read(source.join("package.json")).unwrap();
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["type"] = json!("module");
    manifest["engines"] = json!({"node": ">=18"});
    fs::write(source.join("package.json"), manifest.to_string()).unwrap();
    fs::create_dir_all(source.join(YARN).parent().unwrap()).unwrap();
    fs::copy(managers().yarn_4(), source.join(YARN)).unwrap();
    let settings = format!("nodeLinker: node-modules\nyarnPath: {YARN}\n");
    fs::write(source.join(".yarnrc.yml"), settings).unwrap();
    lock(&source, &["yarn", "install", "--mode=update-lockfile"]);
    is_installed_by(&turn, &source, "yarn4", "Yarn 4.");
}
