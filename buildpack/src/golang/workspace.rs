//! A Go chaincode in a developer's directory, before it is packaged.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::contents::Contents;
use super::{GoMod, is_source};
use crate::platform::Platform;

/// A directory with a main package in it, and the module it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoChaincode {
    /// The directory of the main package; absolute.
    pub directory: PathBuf,
    /// The directory of the `go.mod`: the same, or above it.
    pub module_root: PathBuf,
    /// The import path of the main package.
    pub import_path: String,
    /// Directories that replace modules, as the `go.mod` has them.
    local_replacements: Vec<String>,
}

/// Why a directory is no Go chaincode.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GoChaincodeError {
    /// Something could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// No `go.mod` there or above.
    #[error(
        "{directory} holds no Go module: there is no go.mod in it or above it; run `go mod init` \
         and `go mod tidy` in it"
    )]
    NoModule {
        /// The directory.
        directory: PathBuf,
    },
    /// A `go.mod` without a `module` line.
    #[error("{path} names no module")]
    Unnamed {
        /// The `go.mod`.
        path: PathBuf,
    },
    /// No main package.
    #[error(
        "{directory} holds no `package main`: name the directory that holds the chaincode's \
         `func main`"
    )]
    NoMain {
        /// The directory.
        directory: PathBuf,
    },
    /// Another package than a main one.
    #[error(
        "{directory} is not a main package but `package {package}`, of which no program is made: \
         name it `package main`, or name the directory that is one"
    )]
    Library {
        /// The directory.
        directory: PathBuf,
        /// The package's name.
        package: String,
    },
    /// A replacement that would not be in the package.
    #[error(
        "{path} replaces a module by the directory {target}, which lies outside of the module and \
         would be missing in the package; package it with --vendor, or run `go mod vendor` before"
    )]
    ReplacedOutside {
        /// The `go.mod`.
        path: PathBuf,
        /// The directory, as written.
        target: String,
    },
}

impl GoChaincode {
    /// Describes the chaincode in `directory`, as Fabric's packager does with `go list`
    /// (`core/chaincode/platforms/golang/list.go`), without needing Go.
    pub fn open(directory: &Path) -> Result<Self, GoChaincodeError> {
        let directory = directory.canonicalize().map_err(reading(directory))?;
        let Some(module_root) = directory.ancestors().find(|above| above.join("go.mod").is_file())
        else {
            return Err(GoChaincodeError::NoModule { directory });
        };
        let path = module_root.join("go.mod");
        let text = fs::read_to_string(&path).map_err(reading(&path))?;
        let GoMod { module, local_replacements } =
            GoMod::parse(&text).ok_or(GoChaincodeError::Unnamed { path })?;
        expect_main(&directory)?;
        let below = directory.strip_prefix(module_root).unwrap_or(Path::new(""));
        let parts = below.iter().map(|part| part.to_string_lossy());
        let import_path = parts.fold(module, |path, part| format!("{path}/{part}"));
        let module_root = module_root.to_owned();
        Ok(Self { directory, module_root, import_path, local_replacements })
    }

    /// Whether the module brings its dependencies along.
    pub fn is_vendored(&self) -> bool {
        self.module_root.join("vendor").is_dir()
    }

    /// Fails if the code needs what lies outside of its module, and does not bring it along.
    pub fn expect_complete(&self) -> Result<(), GoChaincodeError> {
        let root = &self.module_root;
        let is_inside = |target: &&String| {
            let resolved = root.join(target).canonicalize();
            resolved.is_ok_and(|resolved| resolved.starts_with(root))
        };
        match self.local_replacements.iter().find(|target| !is_inside(target)) {
            Some(target) if !self.is_vendored() => Err(GoChaincodeError::ReplacedOutside {
                path: root.join("go.mod"),
                target: target.clone(),
            }),
            _ => Ok(()),
        }
    }
}

fn expect_main(directory: &Path) -> Result<(), GoChaincodeError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(reading(directory))? {
        let path = entry.map_err(reading(directory))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if is_source(&name) && path.is_file() {
            let text = fs::read(&path).map_err(reading(&path))?;
            files.push((name.into_owned(), String::from_utf8_lossy(&text).into_owned()));
        }
    }
    let directory = directory.to_owned();
    match Contents::of(files, Platform::host().unwrap_or(Platform::LinuxAmd64)) {
        Contents::Program => Ok(()),
        Contents::Library(package) => Err(GoChaincodeError::Library { directory, package }),
        Contents::Nothing => Err(GoChaincodeError::NoMain { directory }),
    }
}

fn reading(path: &Path) -> impl FnOnce(io::Error) -> GoChaincodeError {
    let path = path.to_owned();
    |source| GoChaincodeError::Read { path, source }
}
