//! The chaincodes that are installed.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use e2e::chaincode_dir;
use serde::Serialize;

/// One of the project's own chaincodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sample {
    Golang,
    Javascript,
    Typescript,
    Java,
}

impl Sample {
    pub(super) const ALL: [Self; 4] =
        [Self::Golang, Self::Javascript, Self::Typescript, Self::Java];

    /// Copies its source to a new directory.
    pub(super) fn copy(self, to: &Path) -> Result<()> {
        copy(&chaincode_dir(self.directory()), to)
    }

    /// Makes another version of the source: other code, the same dependencies.
    pub(super) fn change(self, source: &Path) -> Result<()> {
        let path = source.join(match self {
            Self::Golang => "main.go",
            Self::Javascript => "index.js",
            Self::Typescript => "src/index.ts",
            Self::Java => "src/main/java/example/Ledger.java",
        });
        let mut file = OpenOptions::new().append(true).open(&path)?;
        file.write_all(b"\n// another version\n").with_context(|| path.display().to_string())
    }

    fn directory(self) -> &'static str {
        match self {
            Self::Golang => "ledger",
            Self::Javascript => "javascript",
            Self::Typescript => "typescript",
            Self::Java => "java",
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Golang => "golang",
            Self::Javascript => "javascript",
            Self::Typescript => "typescript",
            Self::Java => "java",
        })
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let (entry, target) = (entry?, to.to_owned());
        let target = target.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            // What a person has installed or built here is none of the source.
            true if ["node_modules", "dist", "target"]
                .iter()
                .any(|name| entry.file_name() == *name) => {}
            true => copy(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}
