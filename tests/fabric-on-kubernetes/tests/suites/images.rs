//! Images that somebody else makes, with `tar` and `crane`.

use std::path::{Path, PathBuf};
use std::process::Command;

use cluster::Cluster;

/// Runs `crane` against the cluster's registry; what it printed.
pub(crate) fn crane(cluster: &Cluster, arguments: &[&str]) -> String {
    succeeds(Command::new(cluster.tools().program("crane")).arg("--insecure").args(arguments))
}

/// Runs a command that has to succeed; what it printed.
pub(crate) fn succeeds(command: &mut Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// A layer of what is in a directory, everything root's, as an archive beside it.
pub(crate) fn layer(root: &Path) -> PathBuf {
    let layer = root.with_extension("tar");
    let mut tar = Command::new("tar");
    tar.args(["--owner=0", "--group=0", "-C"]).arg(root).arg("-cf").arg(&layer).arg(".");
    succeeds(&mut tar);
    layer
}
