//! Brings the builders into the pod of a peer whose image knows nothing of them: the launcher's image
//! has them, and no shell and no `cp`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// What a peer calls (`core/container/externalbuilder/externalbuilder.go`).
const BUILDERS: [&str; 4] = ["detect", "build", "release", "run"];

/// Where they are wanted.
#[derive(Debug, clap::Args)]
pub(crate) struct CopyBuilders {
    /// The directory, which is there: `bin` of an external builder's path.
    to: PathBuf,
}

/// Copies what lies beside this program.
pub(crate) fn run(order: &CopyBuilders) -> anyhow::Result<()> {
    let own = std::env::current_exe().context("this program's file is not to be found")?;
    copy_from(own.parent().unwrap_or(&own), &order.to)
}

fn copy_from(from: &Path, to: &Path) -> anyhow::Result<()> {
    for name in BUILDERS {
        let (source, builder) = (from.join(name), to.join(name));
        place(&source, &builder).with_context(|| {
            format!("cannot copy the builder {} to {}", source.display(), builder.display())
        })?;
    }
    Ok(())
}

/// By rename: where a pod's containers are started again, a peer may be running the one that is there.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    let partial = to.with_extension("partial");
    // The mode goes with it.
    fs::copy(from, &partial)?;
    fs::rename(&partial, to)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn directory_with(builders: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in builders {
            let file = directory.path().join(name);
            fs::write(&file, name).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        directory
    }

    #[test]
    fn all_are_there_executable_and_nothing_else_is() {
        let (from, to) = (directory_with(&BUILDERS), tempfile::tempdir().unwrap());
        fs::write(to.path().join("run"), "of another version").unwrap();
        copy_from(from.path(), to.path()).unwrap();
        for name in BUILDERS {
            let file = to.path().join(name);
            assert_eq!(fs::read_to_string(&file).unwrap(), name);
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o755);
        }
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), BUILDERS.len());
    }

    #[test]
    fn one_that_the_image_lacks_is_named() {
        let (from, to) = (directory_with(&BUILDERS[..2]), tempfile::tempdir().unwrap());
        let error = copy_from(from.path(), to.path()).unwrap_err().to_string();
        let expected = format!("cannot copy the builder {}", from.path().join("release").display());
        assert!(error.starts_with(&expected), "{error}");
    }
}
