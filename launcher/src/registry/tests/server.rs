//! Debian's docker-registry on a free port of 127.0.0.1; and `crane`, built from its Go module.

use std::fs;
use std::process::Command;

use tempfile::TempDir;
use testbed::go_module::CRANE;
use testbed::registry::{self, RegistryServer as Server};
pub(crate) use testbed::registry::{Access, PASSWORD, USER};

/// A running registry; it ends when dropped.
pub(crate) struct RegistryServer {
    server: Server,
    content: TempDir,
}

impl RegistryServer {
    pub(crate) fn start(access: Access) -> Self {
        let content = tempfile::tempdir().unwrap();
        let program = registry::program(&mut |line| eprintln!("{line}")).unwrap();
        Self { server: Server::start(&program, content.path(), access).unwrap(), content }
    }

    /// `HOST:PORT`.
    pub(crate) fn host(&self) -> &str {
        self.server.address()
    }

    pub(crate) fn stop(&mut self) {
        self.server.stop();
    }

    /// Loses a blob, as a clean-up that is too eager does.
    pub(crate) fn lose(&self, digest: &str) {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let content = self.content.path().join("docker/registry/v2");
        let blob = content.join(format!("blobs/sha256/{}/{hex}", &hex[..2]));
        fs::remove_dir_all(blob).unwrap();
        let link = format!("repositories/selvedge/chaincode/_layers/sha256/{hex}");
        fs::remove_dir_all(content.join(link)).unwrap();
    }
}

/// Runs `crane`, which must succeed; what it printed.
pub(crate) fn crane(arguments: &[&str]) -> String {
    let crane = CRANE.obtain(&mut |line| eprintln!("{line}")).unwrap().join("crane");
    let output = Command::new(crane).args(arguments).arg("--insecure").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "crane {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
