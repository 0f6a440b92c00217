//! Programs that are compiled already: which file of a package it is, and whether it can run here.
//!
//! What Fabric's own suites mean by the type (`integration/externalbuilders/binary/bin/build`) is a
//! file of the peer's own machine, which the metadata's path names. A builder that may take it puts
//! it where a package has its program (`builder/src/host_program.rs`), so that all from here on is
//! alike for both.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use selvedge_package::{Executable, NotExecutable, PROGRAMS_VARIABLE};

use crate::archive::EntryPath;
use crate::image::{Form, Part};
use crate::platform::Platform;
use crate::recipe::{
    BuildCommand, Buildpack, Failure, Recipe, Refusal, Toolchain, Vendoring, Workplace,
};
use crate::source::Source;

/// The programs' entry among the languages.
pub(crate) struct Binary;

/// Why a package has no program that can be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BinaryError {
    /// The path is one of the peer's machine.
    #[error(
        "{} is a file of the peer's own machine, and not of the package: a builder takes it from \
         there only if it lies in a directory that {PROGRAMS_VARIABLE} names; `selvedge package` \
         puts the program into the package", .0.display()
    )]
    OfTheHost(PathBuf),
    /// The path is that of no file in the package.
    #[error("`{path}` is the program, by its metadata, and there is no src/{path} {found}", path = .path.escape_debug())]
    Missing {
        /// The path.
        path: String,
        /// What there is instead.
        found: String,
    },
    /// The file is no program.
    #[error("{path} {fault}")]
    File {
        /// The file.
        path: EntryPath,
        /// Why.
        fault: NotExecutable,
    },
    /// The program is for other machines.
    #[error(
        "{path} is a program for linux/{found}, and chaincode runs on {platform} here: compile it for that"
    )]
    Platform {
        /// The file.
        path: EntryPath,
        /// What it was compiled for.
        found: String,
        /// What it was to be compiled for.
        platform: Platform,
    },
}

/// How many files are named where the program is missing.
const MOST_NAMED: usize = 3;

/// The program of a package.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: EntryPath,
    pub(crate) executable: Executable,
}

impl Program {
    /// The program of the `source` of a package whose metadata has this `path`.
    pub(crate) fn find(source: &Source, path: &str) -> Result<Self, BinaryError> {
        if path.starts_with('/') {
            return Err(BinaryError::OfTheHost(path.into()));
        }
        let mut files = source.files().iter().map(|file| &file.path);
        let found = files.find(|file| file.as_str().strip_prefix("src/") == Some(path));
        let path = found.cloned().ok_or_else(|| BinaryError::missing(path, source))?;
        let executable = File::open(path.below(source.root()))
            .map_err(NotExecutable::from)
            .and_then(|file| Executable::read(&file))
            .map_err(|fault| BinaryError::File { path: path.clone(), fault })?;
        Ok(Self { path, executable })
    }
}

/// What there is to know about a program, before it is on its way to where it runs. Reads on from its
/// name.
pub(crate) fn told(executable: &Executable) -> String {
    let platform = format!("is for peers on linux/{} alone", executable.architecture());
    match executable.loader() {
        None => platform,
        Some(loader) => format!(
            "{platform}, and linked dynamically: {loader} loads it, and its libraries, which a \
             machine may have and a chaincode's image on Kubernetes does not"
        ),
    }
}

impl BinaryError {
    fn missing(path: &str, source: &Source) -> Self {
        let mut found: Vec<&str> = source.files().iter().map(|file| file.path.as_str()).collect();
        found.truncate(MOST_NAMED);
        let found = match found.as_slice() {
            [] => "in the package, which is empty".to_owned(),
            some => format!("in the package, which begins with {}", some.join(", ")),
        };
        Self::Missing { path: path.to_owned(), found }
    }
}

impl Buildpack for Binary {
    /// None.
    fn toolchain(
        &self,
        variables: &mut dyn Iterator<Item = (OsString, OsString)>,
        _own: &Path,
    ) -> io::Result<Toolchain> {
        Ok(Toolchain::new(variables, &[]))
    }

    fn version(&self, _toolchain: &Toolchain) -> Option<BuildCommand> {
        None
    }

    fn recipe(
        &self,
        source: &Source,
        path: &str,
        platform: Platform,
    ) -> Result<Box<dyn Recipe>, Refusal> {
        let program = Program::find(source, path).map_err(|error| match error {
            BinaryError::OfTheHost(_) | BinaryError::Missing { .. } => Refusal::Path(error.into()),
            error => Refusal::Code(error.into()),
        })?;
        let found = program.executable.architecture();
        if found != platform.architecture() {
            let (path, found) = (program.path, found.to_owned());
            let error = BinaryError::Platform { path, found, platform };
            return Err(Refusal::Code(error.into()));
        }
        Ok(Box::new(program))
    }

    /// It has all in it that it needs.
    fn vendoring(
        &self,
        _directory: &Path,
        _staged: &Path,
        _toolchain: &Toolchain,
    ) -> Result<Option<Vendoring>, Refusal> {
        Ok(None)
    }

    /// As Fabric's builder starts them (`integration/externalbuilders/binary/bin/run`).
    fn arguments(&self, address: &str) -> Vec<String> {
        vec![format!("-peer.address={address}")]
    }
}

impl Recipe for Program {
    fn inputs(&self) -> Vec<String> {
        vec![format!("program {}", self.path)]
    }

    fn form(&self) -> Form {
        Form::program()
    }

    fn loader(&self) -> Option<&str> {
        self.executable.loader()
    }

    fn commands(&self, _: &Toolchain, _: &Workplace<'_>) -> Vec<BuildCommand> {
        Vec::new()
    }

    fn question(&self, _: &str, _: &Toolchain, _: &Workplace<'_>) -> Option<BuildCommand> {
        None
    }

    fn errors(&self, _: &Failure<'_>) -> Vec<String> {
        Vec::new()
    }

    fn parts(&self, place: &Workplace<'_>) -> Result<Vec<Part>, Refusal> {
        Ok(vec![Part::Program(self.path.below(place.source))])
    }
}
