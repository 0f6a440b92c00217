//! A program of the peer's own machine, which a package of type `binary` names instead of holding it,
//! as those of Fabric's own suites do (`integration/externalbuilders/binary/bin/build`).
//!
//! Whoever may install a package says which file that is, and what is built is sent to another
//! process. So only programs are taken, and only out of directories that the operator of the peer has
//! named: none, as long as nothing is said.

use std::{
    env,
    fs::{self, File},
    io::{self, Seek as _},
    os::unix::fs::PermissionsExt as _,
    path::{Component, Path, PathBuf},
};

use selvedge_package::{Executable, NotExecutable, PROGRAMS_VARIABLE};

/// Why the program is not taken.
#[derive(Debug, thiserror::Error)]
pub enum HostProgramError {
    /// Nobody allowed it.
    #[error(
        "the package names {}, a file of this machine, and {PROGRAMS_VARIABLE} allows none such: \
         package the program itself (selvedge package FILE), or name its directory in \
         {PROGRAMS_VARIABLE} and list that in the builder's propagateEnvironment in core.yaml",
        .0.display()
    )]
    NotAllowed(PathBuf),
    /// It was allowed for others.
    #[error(
        "the package names {}, which lies in no directory of those that {PROGRAMS_VARIABLE} names",
        .0.display()
    )]
    Outside(PathBuf),
    /// It is not there, or can not be read.
    #[error("cannot read {}, which the package names as its program", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A directory, or something special.
    #[error("{}, which the package names as its program, is no file", .0.display())]
    Kind(PathBuf),
    /// Nobody may execute it.
    #[error(
        "{}, which the package names as its program, is no program: nobody may execute it",
        .0.display()
    )]
    Mode(PathBuf),
    /// It is a file of another kind.
    #[error("{}, which the package names as its program, {fault}", .path.display())]
    Program {
        /// The file.
        path: PathBuf,
        /// Why.
        fault: NotExecutable,
    },
    /// It is for another machine.
    #[error(
        "{}, which the package names as its program, is for linux/{found}, and this machine is \
         linux/{here}", .path.display()
    )]
    Platform {
        /// The file.
        path: PathBuf,
        /// What it was compiled for.
        found: String,
        /// What this machine is.
        here: &'static str,
    },
}

/// Opens the program, if the environment allows it and it is one.
pub(crate) fn open(path: &Path) -> Result<File, HostProgramError> {
    let allowed = env::var_os(PROGRAMS_VARIABLE).unwrap_or_default();
    let directories: Vec<PathBuf> =
        env::split_paths(&allowed).filter(|directory| directory.is_absolute()).collect();
    open_in(&directories, path)
}

/// Opens the program, if it lies below one of the directories and is one.
fn open_in(directories: &[PathBuf], path: &Path) -> Result<File, HostProgramError> {
    if directories.is_empty() {
        return Err(HostProgramError::NotAllowed(path.into()));
    }
    // Where no link leads anywhere else. What can not be found is told from what is not allowed
    // only where it would be allowed: nobody learns here which files there are.
    let outside = || HostProgramError::Outside(path.into());
    let real = path.canonicalize().map_err(|source| {
        if lies_below(directories, path) {
            HostProgramError::Read { path: path.into(), source }
        } else {
            outside()
        }
    })?;
    if !lies_below(directories, &real) {
        return Err(outside());
    }
    let unreadable = |source| HostProgramError::Read { path: path.into(), source };
    // Before it is opened: that of a pipe would wait for somebody who writes.
    let metadata = fs::metadata(&real).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(HostProgramError::Kind(path.into()));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(HostProgramError::Mode(path.into()));
    }
    let mut file = File::open(&real).map_err(unreadable)?;
    let executable = Executable::read(&file)
        .map_err(|fault| HostProgramError::Program { path: path.into(), fault })?;
    if let Some(here) = executable.is_foreign() {
        let found = executable.architecture().to_owned();
        return Err(HostProgramError::Platform { path: path.into(), found, here });
    }
    file.rewind().map_err(unreadable)?;
    Ok(file)
}

fn lies_below(directories: &[PathBuf], path: &Path) -> bool {
    let real = directories.iter().filter_map(|directory| directory.canonicalize().ok());
    let plain = !path.components().any(|part| part == Component::ParentDir);
    plain && directories.iter().cloned().chain(real).any(|directory| path.starts_with(directory))
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, os::unix::fs::symlink};

    use super::*;

    /// This test, which is a program.
    fn program() -> PathBuf {
        env::current_exe().unwrap()
    }

    #[test]
    fn only_programs_and_only_where_they_may_lie() {
        let directory = tempfile::tempdir().unwrap();
        let (allowed, other) = (directory.path().join("allowed"), directory.path().join("other"));
        fs::create_dir_all(allowed.join("directory")).unwrap();
        fs::create_dir_all(&other).unwrap();
        for place in [&allowed, &other] {
            fs::copy(program(), place.join("program")).unwrap();
        }
        fs::write(allowed.join("text"), "secret").unwrap();
        fs::copy(program(), allowed.join("plain")).unwrap();
        fs::set_permissions(allowed.join("plain"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(allowed.join("script"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(allowed.join("script"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink(other.join("program"), allowed.join("away")).unwrap();
        symlink(allowed.join("program"), allowed.join("link")).unwrap();

        let directories = [allowed.clone()];
        for good in ["program", "link"] {
            let mut content = Vec::new();
            let mut file = open_in(&directories, &allowed.join(good)).unwrap();
            file.read_to_end(&mut content).unwrap();
            assert!(content == fs::read(program()).unwrap(), "not all of {good}");
        }
        for (path, reason) in [
            (allowed.join("text"), "nobody may execute it"),
            (allowed.join("plain"), "nobody may execute it"),
            (allowed.join("script"), "is a script"),
            (allowed.join("directory"), "is no file"),
            (allowed.join("missing"), "cannot read"),
            (allowed.join("away"), "lies in no directory of those"),
            (allowed.join("../other/program"), "lies in no directory of those"),
            // Whether it is there, is not told.
            (other.join("program"), "lies in no directory of those"),
            (other.join("missing"), "lies in no directory of those"),
            (allowed.join("../other/missing"), "lies in no directory of those"),
        ] {
            let error = open_in(&directories, &path).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            let error = open_in(&[], &path).unwrap_err().to_string();
            assert!(error.contains("SELVEDGE_PROGRAMS allows none such"), "{error}");
        }
    }
}
