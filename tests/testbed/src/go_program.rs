//! The project's own Go programs (clients, load generators), built into the cache.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use crate::binaries::{BuildError, Progress, go_build, go_version};
use crate::cache::{self, io_error};

/// Builds the main package in `module` (a directory with a `go.mod`) and returns the executable,
/// which has the directory's name.
///
/// Built again only when a file of the directory or the Go version changed.
pub fn obtain(module: &Path, progress: &mut Progress<'_>) -> Result<PathBuf, BuildError> {
    let module = fs::canonicalize(module).map_err(|e| io_error("find", module, e))?;
    let name = module.file_name().unwrap_or_default().to_string_lossy();
    let key = source_key(&module)?;
    let entry = cache::root()?.join(format!("go/{name}-{key}"));
    let entry = cache::obtain(&entry, |partial| {
        progress(&format!("building {name} (once; then cached)"));
        go_build(&module, &partial.join(&*name), &["."], progress)
    })?;
    Ok(entry.join(&*name))
}

fn source_key(module: &Path) -> Result<String, BuildError> {
    let mut hash = Sha256::new();
    hash.update(go_version(module)?);
    for entry in WalkDir::new(module).sort_by_file_name() {
        let entry = entry.map_err(|e| {
            let path = e.path().unwrap_or(module).to_owned();
            io_error("read", &path, e.into())
        })?;
        if entry.file_type().is_file() {
            let path = entry.path();
            let content = fs::read(path).map_err(|e| io_error("read", path, e))?;
            hash.update(path.to_string_lossy().as_bytes());
            hash.update(content.len().to_le_bytes());
            hash.update(content);
        }
    }
    Ok(hex::encode(&hash.finalize()[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_changed_source_is_built_again() {
        let dir = tempfile::tempdir().unwrap();
        let module = dir.path().join("greeter");
        fs::create_dir(&module).unwrap();
        fs::write(module.join("go.mod"), "module selvedge.example/greeter\n\ngo 1.24\n").unwrap();
        for greeting in ["first", "second"] {
            let source = format!("package main\n\nfunc main() {{ print({greeting:?}) }}\n");
            fs::write(module.join("main.go"), source).unwrap();
            let program = obtain(&module, &mut |_| {}).unwrap();
            let output = Command::new(&program).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stderr), greeting);
            fs::remove_dir_all(program.parent().unwrap()).unwrap();
        }
    }
}
