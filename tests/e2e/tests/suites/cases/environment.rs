//! No HOME, as under many service managers: Go finds no place for its caches.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use serde_json::json;
use testbed::{Launcher, LauncherSpec, dist_dir};

use super::workshop::{PATH, PROGRAM, Workshop, metadata, said};

/// Without a HOME, or with one that cannot be, and nothing that stands in for it.
fn homeless(home: Option<&str>) -> Vec<(&'static str, OsString)> {
    let path = std::env::var_os("PATH").unwrap();
    [("PATH", path)].into_iter().chain(home.map(|home| ("HOME", home.into()))).collect()
}

#[test]
fn a_launcher_brings_directories_of_its_own() {
    let workshop = Workshop::new();
    let source = workshop.path("code/src");
    fs::create_dir_all(&source).unwrap();
    fs::create_dir(workshop.path("meta")).unwrap();
    fs::write(source.join("go.mod"), format!("module {PATH}\n")).unwrap();
    fs::write(source.join("main.go"), PROGRAM).unwrap();
    fs::write(workshop.path("meta/metadata.json"), metadata("home_1.0")).unwrap();

    let mut spec = LauncherSpec::new(dist_dir().join("bin/selvedge-launcher"));
    // Nothing can be made below a file; empty is as good as unset.
    spec.environment.insert("HOME".into(), "/dev/null".into());
    for variable in ["XDG_CACHE_HOME", "GOPATH", "GOCACHE", "GOMODCACHE", "SELVEDGE_TOOLS_DIR"] {
        spec.environment.insert(variable.into(), "".into());
    }
    // What they are left with is too much.
    spec.file.say("builds.toolsLimit", json!("1"));
    let launcher = Launcher::start(&spec).unwrap();
    fs::create_dir(workshop.path("out")).unwrap();
    let built = said(
        Command::new(dist_dir().join("bin/build"))
            .args(["code", "meta", "out"].map(|name| workshop.path(name)))
            .env("SELVEDGE_LAUNCHER", launcher.address()),
    );
    assert_eq!(built.code, Some(0), "{built:?}");
    assert!(workshop.path("out/image.json").is_file());
    let own = launcher.dir().join("data/tools/golang");
    for cache in ["builds", "modules"] {
        assert_eq!(fs::read_dir(own.join(cache)).unwrap().count(), 0, "{cache}");
    }
}

#[test]
fn packaging_blames_no_code() {
    let workshop = Workshop::new();
    workshop.source("asset", &[("main.go", PROGRAM)]);
    for home in [None, Some("/dev/null")] {
        let mut selvedge = Command::new(dist_dir().join("bin/selvedge"));
        selvedge.args(["package", "--force", "-l", "h_1.0"]).arg(workshop.path("asset"));
        selvedge.current_dir(workshop.path("")).env_clear().envs(homeless(home));
        let said = said(&mut selvedge);
        said.is_fine(&["Wrote h_1.0.tar.gz"]);
        for part in ["not compiled before packaging", "set HOME, or GOCACHE and GOMODCACHE"] {
            assert!(said.stderr.contains(part), "{part} is missing: {said:?}");
        }
    }
}
