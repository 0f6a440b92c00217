//! Debian's docker-registry on a free port of 127.0.0.1, taken out of its package and not
//! installed; and `crane`, built from its Go module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use testbed::binaries::{self, BuildError};
use testbed::cache::{self, CacheError};
use testbed::dist::workspace_dir;
use testbed::process::{Server, ServerCommand};
use testbed::scratch::Scratch;

/// Who may push where a password is asked for.
pub(crate) const USER: &str = "selvedge";
/// Their password.
pub(crate) const PASSWORD: &str = "secret";

/// `htpasswd -B` of the two.
const HTPASSWD: &str = "selvedge:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// What the registry logs before its address.
const LISTENING: &str = "listening on ";

/// Whom a registry lets in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody.
    Open,
    /// Who has the password.
    Password,
}

/// A running registry; it ends when dropped.
pub(crate) struct RegistryServer {
    server: Server,
    host: String,
    scratch: Scratch,
}

impl RegistryServer {
    pub(crate) fn start(access: Access) -> Self {
        let scratch = Scratch::create().unwrap();
        let dir = scratch.dir();
        fs::write(dir.join("htpasswd"), HTPASSWD).unwrap();
        let mut config = serde_json::json!({
            "version": 0.1,
            "log": { "level": "info" },
            "storage": {
                "filesystem": { "rootdirectory": dir.join("content") },
                "delete": { "enabled": true },
            },
            "http": { "addr": "127.0.0.1:0" },
        });
        if access == Access::Password {
            let htpasswd = dir.join("htpasswd");
            config["auth"] =
                serde_json::json!({ "htpasswd": { "realm": "test", "path": htpasswd } });
        }
        fs::write(dir.join("registry.json"), config.to_string()).unwrap();
        let command = ServerCommand {
            name: "registry".to_owned(),
            program: docker_registry(),
            arguments: vec!["serve".into(), dir.join("registry.json").into()],
            environment: [].into(),
            dir: dir.path().to_owned(),
            log: dir.join("registry.log"),
            grace: Duration::from_secs(5),
        };
        let mut server = Server::start(dir, command).unwrap();
        let line = server.await_line(LISTENING, Duration::from_secs(20)).unwrap();
        let rest = line.split(LISTENING).nth(1).unwrap();
        let host = rest.split(['"', ',']).next().unwrap().to_owned();
        Self { server, host, scratch }
    }

    /// `HOST:PORT`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn stop(&mut self) {
        self.server.stop();
    }

    /// Loses a blob, as a clean-up that is too eager does.
    pub(crate) fn lose(&self, digest: &str) {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let content = self.scratch.dir().join("content/docker/registry/v2");
        let blob = content.join(format!("blobs/sha256/{}/{hex}", &hex[..2]));
        fs::remove_dir_all(blob).unwrap();
        let link = format!("repositories/selvedge/chaincode/_layers/sha256/{hex}");
        fs::remove_dir_all(content.join(link)).unwrap();
    }
}

/// Runs `crane`, which must succeed; what it printed.
pub(crate) fn crane(arguments: &[&str]) -> String {
    let output = Command::new(crane_program()).args(arguments).arg("--insecure").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "crane {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn docker_registry() -> PathBuf {
    let entry = cache::root().unwrap().join("docker-registry");
    let root = cache::obtain(&entry, |partial| {
        apt_get(&["update", "-qq"], partial);
        apt_get(&["download", "-qq", "docker-registry"], partial);
        for file in fs::read_dir(partial).unwrap() {
            let package = file.unwrap().path();
            done(Command::new("dpkg").arg("-x").arg(&package).arg(partial));
            fs::remove_file(package).unwrap();
        }
        Ok::<(), CacheError>(())
    });
    root.unwrap().join("usr/bin/docker-registry")
}

fn crane_program() -> PathBuf {
    let module = workspace_dir().join("tests/testbed/kubernetes/crane");
    let key = binaries::cache_key(&module).unwrap();
    let entry = cache::root().unwrap().join(format!("kubernetes/crane-{key}"));
    let entry = cache::obtain(&entry, |partial| {
        let package = "github.com/google/go-containerregistry/cmd/crane";
        let arguments = ["-ldflags", "-s -w", package];
        binaries::go_build(&module, &partial.join("crane"), &arguments, &mut |line| {
            eprintln!("{line}");
        })?;
        Ok::<(), BuildError>(())
    });
    entry.unwrap().join("crane")
}

fn apt_get(arguments: &[&str], dir: &Path) {
    let mut command = Command::new("apt-get");
    command.args(arguments).args(["-o", "DPkg::Lock::Timeout=300"]);
    // Not as the user _apt, who may not write everywhere.
    command.args(["-o", "APT::Sandbox::User=root"]).current_dir(dir);
    done(&mut command);
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
