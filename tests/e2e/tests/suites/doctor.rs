//! `selvedge doctor` beside a real peer and its launcher: nothing is wrong, and then one thing after the
//! other is.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use e2e::Turn;
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::dist_dir;

use crate::many::STAGE;

/// A peer's configuration, of which something is changed.
struct Scene<'a> {
    turn: &'a Turn<'a>,
    place: TempDir,
    core: Value,
}

impl<'a> Scene<'a> {
    fn of(turn: &'a Turn<'a>) -> Self {
        let core = turn.network.dir().join("org1/core.yaml");
        // YAML, as a peer reads it; what was written there is JSON as well.
        let core = serde_json::from_str(&fs::read_to_string(core).unwrap()).unwrap();
        Self { turn, place: tempfile::tempdir().unwrap(), core }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn builders(&mut self) -> &mut Vec<Value> {
        self.core["chaincode"]["externalBuilders"].as_array_mut().unwrap()
    }

    /// What the doctor says of it, and whether all is well; asked at this address.
    fn told_at(&self, launcher: &str) -> (Vec<Value>, bool) {
        fs::write(self.at("core.yaml"), self.core.to_string()).unwrap();
        let mut doctor = Command::new(dist_dir().join("bin/selvedge"));
        doctor.args(["doctor", "--json", "--peer-config"]).arg(self.at("core.yaml"));
        let output = doctor.env("SELVEDGE_LAUNCHER", launcher).output().unwrap();
        assert!(output.stderr.is_empty(), "{output:?}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let healthy = told["healthy"].as_bool().unwrap();
        assert_eq!(output.status.code(), Some(i32::from(!healthy)), "{told:#}");
        (told["findings"].as_array().unwrap().clone(), healthy)
    }

    fn told(&self) -> (Vec<Value>, bool) {
        self.told_at(&self.turn.launcher.address())
    }

    /// One thing does not work, and this is said of it.
    fn assert_bad(&self, about: &str, said: &str) {
        let (found, healthy) = self.told();
        let bad: Vec<&Value> = found.iter().filter(|found| found["verdict"] == "bad").collect();
        let [bad] = bad[..] else { panic!("{found:#?}") };
        assert!(!healthy && bad["about"] == about, "{bad:#}");
        assert!(bad["said"].as_str().unwrap().contains(said), "{bad:#}");
        assert!(bad["way_out"].is_string(), "{bad:#}");
    }

    /// Selvedge's builder, in another place.
    fn moved(&mut self) -> PathBuf {
        let bin = self.at("selvedge/bin");
        fs::create_dir_all(&bin).unwrap();
        for name in ["detect", "build", "release", "run"] {
            fs::copy(dist_dir().join("bin").join(name), bin.join(name)).unwrap();
        }
        let path = self.at("selvedge");
        self.builders()[0]["path"] = json!(path);
        bin
    }
}

fn finding<'a>(found: &'a [Value], about: &str) -> &'a Value {
    let one = found.iter().find(|found| found["about"].as_str().unwrap().starts_with(about));
    one.unwrap_or_else(|| panic!("nothing is said of {about}: {found:#?}"))
}

fn verdict<'a>(found: &'a [Value], about: &str) -> &'a Value {
    &finding(found, about)["verdict"]
}

#[test]
fn nothing_is_wrong_where_everything_works() {
    let turn = STAGE.enter();
    let scene = Scene::of(&turn);
    let (found, healthy) = scene.told();
    assert!(healthy, "{found:#?}");
    for about in [
        "peer's configuration",
        "builder selvedge",
        "certificate ",
        "launcher",
        "operator's file",
        "confinement",
        "tools for golang",
        "tools for node",
        "tools for java",
    ] {
        assert_eq!(verdict(&found, about), "good", "{about}: {found:#?}");
    }
    let java = finding(&found, "tools for java")["said"].as_str().unwrap();
    assert!(java.contains("Apache Maven 3") && !java.contains('\u{1b}'), "{java:?}");
    let mut doctor = Command::new(dist_dir().join("bin/selvedge"));
    doctor.args(["doctor", "--peer-config"]).arg(scene.at("core.yaml"));
    let output = doctor.env("SELVEDGE_LAUNCHER", turn.launcher.address()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("good      launcher: ") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_builder_that_is_not_as_it_should_be() {
    let turn = STAGE.enter();
    let mut scene = Scene::of(&turn);
    let bin = scene.moved();
    assert!(scene.told().1, "it is the same in another place");

    fs::set_permissions(bin.join("run"), Permissions::from_mode(0o644)).unwrap();
    scene.assert_bad("builder selvedge", "bin/run is not executable");
    fs::remove_file(bin.join("run")).unwrap();
    scene.assert_bad("builder selvedge", "bin/run cannot be read");
    // The headers of a program for another machine.
    let mut foreign = fs::read(bin.join("release")).unwrap();
    (foreign[18], foreign[19]) = (22, 0);
    fs::write(bin.join("run"), foreign).unwrap();
    fs::set_permissions(bin.join("run"), Permissions::from_mode(0o755)).unwrap();
    scene.assert_bad("builder selvedge", "bin/run is for s390x");

    scene.builders().clear();
    scene.assert_bad("peer's configuration", "names no external builder");
}

#[test]
fn a_builder_that_takes_packages_first() {
    let turn = STAGE.enter();
    let mut scene = Scene::of(&turn);
    let rival = scene.at("rival/bin");
    fs::create_dir_all(&rival).unwrap();
    let write = |name: &str, script: &str| {
        let path = rival.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    };
    write("build", "exit 0");
    write("detect", "grep -q '\"type\":\"node\"' \"$2/metadata.json\"");
    let path = scene.at("rival");
    scene.builders().insert(0, json!({ "name": "rival", "path": path }));
    scene.assert_bad("builder rival", "before selvedge and takes packages of type node");
    write("detect", "grep -q '\"type\":\"ccaas\"' \"$2/metadata.json\"");
    let (found, healthy) = scene.told();
    assert!(healthy && verdict(&found, "builder rival") == "doubtful", "{found:#?}");
    scene.builders().reverse();
    assert!(!scene.told().0.iter().any(|found| found["about"] == "builder rival"));
    scene.builders().retain(|builder| builder["name"] == "rival");
    scene.assert_bad("Selvedge's builder", "none of the external builders");
}

#[test]
fn a_launcher_that_is_not_there_and_files_that_are_not() {
    let turn = STAGE.enter();
    let mut scene = Scene::of(&turn);
    let nowhere = scene.at("launcher.sock");
    let (found, healthy) = scene.told_at(&format!("unix:{}", nowhere.display()));
    assert!(!healthy && verdict(&found, "launcher") == "bad", "{found:#?}");

    let certificate = &mut scene.core["peer"]["tls"]["cert"]["file"];
    *certificate = json!("nowhere.crt");
    let about = format!("certificate {}", scene.at("nowhere.crt").display());
    scene.assert_bad(&about, "cannot be read");
    fs::write(scene.at("nowhere.crt"), "").unwrap();
    scene.assert_bad(&about, "there is no certificate in it");

    fs::write(scene.at("core.yaml"), "a: [").unwrap();
    let mut doctor = Command::new(dist_dir().join("bin/selvedge"));
    doctor.args(["doctor", "--peer-config"]).arg(scene.at("core.yaml"));
    let output = doctor.env("SELVEDGE_LAUNCHER", turn.launcher.address()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("core.yaml is no YAML"), "{text}");
}
