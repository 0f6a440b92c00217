//! Scripts of a package that take more of the machine than a build may, or look at what is not
//! theirs: the build is ended, the reason names what it took, and nothing of it is left.

use std::path::PathBuf;

use e2e::Turn;
use serde_json::{Value, json};
use testbed::cache;

use crate::builds::{append, archive, install_fails};
use crate::many::STAGE;

/// A package of which a script of the shell is run to build it, without a network.
fn package(turn: &Turn<'_>, label: &str, script: &str) -> PathBuf {
    let package_json = json!({
        "main": "built.js",
        "scripts": { "build": "sh build.sh", "start": "fabric-chaincode-node start" },
    });
    let code = archive(|tar| {
        append(tar, "src/package.json", package_json.to_string().as_bytes())?;
        append(tar, "src/build.sh", script.as_bytes())?;
        append(tar, "src/node_modules/fabric-shim/cli.js", b"")
    });
    let metadata = format!(r#"{{"type":"node","path":"greed","label":"{label}"}}"#);
    let whole = archive(|tar| {
        append(tar, "metadata.json", metadata.as_bytes())?;
        append(tar, "code.tar.gz", &code)
    });
    let file = turn.network.dir().join(format!("{label}.tar.gz"));
    std::fs::write(&file, whole).unwrap();
    file
}

/// What a build may take while `installs` goes on.
fn bounded(turn: &Turn<'_>, builds: Value, installs: impl FnOnce()) {
    turn.launcher.say("builds", builds).unwrap_or_else(|error| panic!("{error}"));
    installs();
    turn.launcher.say("builds", json!({})).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn one_that_never_ends() {
    let turn = STAGE.enter();
    let package = package(&turn, "endless", "sleep 3600");
    let reason = "the build was ended: it took longer than 3 s (builds.timeout)";
    bounded(&turn, json!({ "timeout": "3s" }), || install_fails(&turn, &package, &[reason]));
}

#[test]
fn one_that_fills_the_disk() {
    let turn = STAGE.enter();
    // In many files, and wherever it can.
    let script = "while :; do n=$((n + 1)); head -c 1000000 /dev/zero >fill-$n; done";
    let package = package(&turn, "filling", script);
    let reason = "the build was ended: it wrote more than 64.0 MiB (builds.disk)";
    bounded(&turn, json!({ "disk": "64Mi" }), || install_fails(&turn, &package, &[reason]));
}

#[test]
fn one_that_takes_all_memory() {
    let turn = STAGE.enter();
    let script = "node -e 'const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1))'";
    let package = package(&turn, "hoarding", script);
    let reason = "the build was ended: it took more than 512.0 MiB of memory (builds.memoryLimit)";
    let builds = json!({ "memoryLimit": "512MiB" });
    bounded(&turn, builds, || install_fails(&turn, &package, &[reason]));
}

#[test]
fn one_that_forks_without_end() {
    let turn = STAGE.enter();
    let package = package(&turn, "forking", "while :; do sleep 3600 & done");
    let reason = ["the build was ended: it had more than", "processes and threads at once"];
    install_fails(&turn, &package, &reason);
}

/// What is given to a build is its own: it finds neither its user's home nor what others have, and
/// writes nowhere where another build would find it.
#[test]
fn one_that_looks_around() {
    let turn = STAGE.enter();
    let tools = cache::root().unwrap().join("tools/node");
    assert!(tools.is_dir(), "{} is not there", tools.display());
    let home = std::env::var_os("HOME").unwrap();
    let of_user = tempfile::NamedTempFile::new_in(home).unwrap();
    let [data, tools] =
        [turn.launcher.dir().join("data/images"), tools].map(|path| path.display().to_string());
    let script = format!(
        "tell() {{ \"$@\" >/dev/null 2>&1 && echo \"a build can: $*\" || echo \"a build cannot: $*\"; }}\n\
         for path in {of_user} {data} /etc/shadow /var /proc/{launcher}; do tell ls $path; done\n\
         for path in {tools} /usr $HOME $TMPDIR /tmp; do tell touch $path/new; done\n\
         tell kill -0 {launcher}\nexit 1",
        of_user = of_user.path().display(),
        launcher = turn.launcher.pid()
    );
    install_fails(&turn, &package(&turn, "looking", &script), &["a build cannot: ls"]);
    let lines = turn.launcher_lines();
    let could = |line: &'_ str| {
        let said = line.split_once("line=\"a build can: ")?.1;
        Some(said.trim_end_matches('"').to_owned())
    };
    let can: Vec<String> = lines.lines().filter_map(could).collect();
    let [in_home, temporary, tmp] = &can[..] else { panic!("{can:?}") };
    let own = turn.launcher.dir().join("data/tmp").display().to_string();
    for path in [in_home, temporary] {
        assert!(path.starts_with(&format!("touch {own}/build-")), "{path}");
    }
    assert_eq!(tmp, "touch /tmp/new");
}

/// Of the launcher's environment it sees what a language's tools need, and of a peer's nothing.
#[test]
fn one_that_reads_the_environment() {
    let turn = STAGE.enter();
    let script = "env | sed 's/^/a build sees: /'; exit 1";
    install_fails(&turn, &package(&turn, "reading", script), &["a build sees: PATH="]);
    let lines = turn.launcher_lines();
    let seen: Vec<&str> =
        lines.lines().filter_map(|line| Some(line.split_once("a build sees: ")?.1)).collect();
    // Who runs these tests has a home, and the variables of Cargo besides.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(seen.iter().any(|variable| variable.starts_with("HOME=")), "{seen:?}");
    for beginning in ["CARGO_", "SELVEDGE_", "CORE_"] {
        let found = seen.iter().find(|variable| variable.starts_with(beginning));
        assert_eq!(found, None, "{seen:?}");
    }
}
