//! What a command line resolves to: every default filled in.

use std::path::PathBuf;

use clap_complete::Shell;
use selvedge_buildpack::package::{Existing, Label};

use crate::typed::{Command, Inspect, Package, Typed};

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Request {
    Package(PackageRequest),
    Inspect(InspectRequest),
    Completions(Shell),
}

/// A package to write.
#[derive(Debug)]
pub(crate) struct PackageRequest {
    pub(crate) directory: PathBuf,
    pub(crate) label: Label,
    pub(crate) output: PathBuf,
    pub(crate) existing: Existing,
    pub(crate) check: Check,
    pub(crate) form: Form,
}

/// A package to look into.
#[derive(Debug)]
pub(crate) struct InspectRequest {
    pub(crate) file: PathBuf,
    pub(crate) compile: bool,
    pub(crate) form: Form,
}

/// What is tried before a package is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    Compile,
    Nothing,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
}

/// Fills in the defaults.
pub(crate) fn resolve(typed: Typed) -> Request {
    match typed.command {
        Command::Package(package) => Request::Package(package.resolve()),
        Command::Inspect(Inspect { file, compile, json }) => {
            Request::Inspect(InspectRequest { file, compile, form: form(json) })
        }
        Command::Completions(completions) => Request::Completions(completions.shell),
    }
}

impl Package {
    fn resolve(self) -> PackageRequest {
        let default = || PathBuf::from(format!("{}.tar.gz", self.label));
        PackageRequest {
            output: self.output.unwrap_or_else(default),
            directory: self.directory,
            existing: if self.force { Existing::Replace } else { Existing::Keep },
            check: if self.no_compile { Check::Nothing } else { Check::Compile },
            form: form(self.json),
            label: self.label,
        }
    }
}

fn form(json: bool) -> Form {
    if json { Form::Json } else { Form::Text }
}
