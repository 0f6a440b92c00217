//! A registry of one test, with content of its own; and `crane`, built from its Go module.

use std::fs;
use std::process::Command;

use crate::go_module::CRANE;
use crate::registry::{self, Access, RegistryServer};
use tempfile::TempDir;

/// A running registry; it ends when dropped.
#[derive(Debug)]
pub struct TemporaryRegistry {
    server: RegistryServer,
    content: TempDir,
}

impl TemporaryRegistry {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[must_use]
    pub fn start(access: Access) -> Self {
        let content = tempfile::tempdir().unwrap();
        let program = registry::program(&mut |line| eprintln!("{line}")).unwrap();
        Self { server: RegistryServer::start(&program, content.path(), access).unwrap(), content }
    }

    /// `HOST:PORT`.
    pub fn host(&self) -> &str {
        self.server.address()
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.server.stop();
    }

    /// Loses a blob of the repository `selvedge/chaincode`, as a clean-up that is too eager does.
    ///
    /// # Panics
    ///
    /// When it has no such blob.
    pub fn lose(&self, digest: &str) {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let content = self.content.path().join("docker/registry/v2");
        let blob = content.join(format!("blobs/sha256/{}/{hex}", &hex[..2]));
        fs::remove_dir_all(blob).unwrap();
        let link = format!("repositories/selvedge/chaincode/_layers/sha256/{hex}");
        fs::remove_dir_all(content.join(link)).unwrap();
    }
}

/// Runs `crane`, which must succeed; what it printed.
///
/// # Panics
///
/// When it does not.
pub fn crane(arguments: &[&str]) -> String {
    let crane = CRANE.obtain(&mut |line| eprintln!("{line}")).unwrap().join("crane");
    let output = Command::new(crane).args(arguments).arg("--insecure").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "crane {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
