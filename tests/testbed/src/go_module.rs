//! Programs that are built from a Go module of `tests/testbed/kubernetes`, once, and then cached.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use crate::binaries::{self, BuildError, Progress};
use crate::cache;
use crate::dist::workspace_dir;

/// A module and the programs that are built from it.
#[derive(Clone, Copy, Debug)]
pub struct GoModule {
    /// The module's directory.
    pub name: &'static str,
    /// The programs' packages.
    pub packages: &'static [&'static str],
    /// What to say of its version: programs that know theirs by the linker alone.
    pub version: Option<(&'static str, &'static str)>,
}

/// `crane`, which has a second opinion on images.
pub const CRANE: GoModule = GoModule {
    name: "crane",
    packages: &["github.com/google/go-containerregistry/cmd/crane"],
    version: None,
};

/// `conformance`, the suite of the OCI distribution specification.
pub const DISTRIBUTION_CONFORMANCE: GoModule = GoModule {
    name: "distribution-conformance",
    packages: &["github.com/opencontainers/distribution-spec/conformance"],
    version: None,
};

impl GoModule {
    /// The directory with the programs, from the cache or built.
    pub fn obtain(&self, progress: &mut Progress<'_>) -> Result<PathBuf, BuildError> {
        let module = workspace_dir().join("tests/testbed/kubernetes").join(self.name);
        let key = binaries::cache_key(&module)?;
        let entry = cache::root()?.join(format!("kubernetes/{}-{key}", self.name));
        cache::obtain(&entry, |partial| {
            let name = self.name;
            progress(&format!("building {name} (once; then cached)"));
            let started = Instant::now();
            let mut flags = "-s -w".to_owned();
            if let Some((variable, version)) = self.version {
                flags.extend([" -X ", variable, "=", version]);
            }
            let arguments = [&["-ldflags", &flags], self.packages].concat();
            // An output that is a directory takes all programs at once.
            fs::create_dir_all(partial).map_err(|e| cache::io_error("create", partial, e))?;
            binaries::go_build(&module, partial, &arguments, progress)?;
            progress(&format!("built {name} in {:.0} s", started.elapsed().as_secs_f32()));
            Ok(())
        })
    }
}
