//! What of a Go chaincode's source can be told before it is compiled.

use std::fs::File;
use std::io::Read;

use super::contents::Contents;
use super::{Dependencies, GoCode, GoError, GoMod, GoPath, is_source};
use crate::archive;
use crate::platform::Platform;
use crate::source::Source;

/// The most of a file that is read, in bytes: what is looked for stands at its beginning.
const MOST: u64 = 4 << 20;

impl GoCode {
    /// Finds the code in a source, and makes sure that it can be a chaincode: of a package that
    /// somebody made by hand, by the one who inspects it as by the one who builds it.
    pub fn open(source: &Source, path: &GoPath, platform: Platform) -> Result<Self, GoError> {
        let code = Self::find(&source.paths(), path)?;
        let go_mod = parsed(source, &code)?;
        if let Some(go_mod) = &go_mod
            && code.dependencies == Dependencies::Fetched
        {
            code.refuse_outside(go_mod)?;
        }
        // A package of another module is for the compiler to find.
        if let Some(directory) = code.main_directory(go_mod.as_ref()) {
            expect_main(source, directory, platform)?;
        }
        Ok(code)
    }

    /// The names and texts of the main package's own Go files; none of a package of another module.
    pub(super) fn main_files(&self, source: &Source) -> Result<Vec<(String, String)>, GoError> {
        let go_mod = parsed(source, self)?;
        let directory = self.main_directory(go_mod.as_ref());
        directory.map_or(Ok(Vec::new()), |directory| go_files(source, &directory))
    }

    fn main_directory(&self, go_mod: Option<&GoMod>) -> Option<String> {
        self.package_directory(go_mod.map(|go_mod| go_mod.module.as_str()))
    }

    /// Refuses replacements by what is no part of the source: the compiler would read files of
    /// the machine that builds.
    fn refuse_outside(&self, go_mod: &GoMod) -> Result<(), GoError> {
        match go_mod.local_replacements.iter().find(|target| leads_out(&self.directory, target)) {
            None => Ok(()),
            Some(target) => {
                let (go_mod, target) = (self.go_mod().unwrap_or_default(), target.clone());
                Err(GoError::ReplacedOutside { go_mod, target })
            }
        }
    }
}

/// Whether `target`, seen from `directory`, lies outside of the source. There are no links in it.
fn leads_out(directory: &str, target: &str) -> bool {
    target.starts_with('/')
        || target.contains(['\\', ':'])
        || archive::leads_out(directory.split('/').count(), target)
}

/// What the module's go.mod says; none in a GOPATH.
fn parsed(source: &Source, code: &GoCode) -> Result<Option<GoMod>, GoError> {
    let Some(name) = code.go_mod() else { return Ok(None) };
    GoMod::parse(&read(source, &name)?).map(Some).ok_or(GoError::Unnamed(name))
}

/// The names and texts of the Go files in a directory of the source.
fn go_files(source: &Source, directory: &str) -> Result<Vec<(String, String)>, GoError> {
    let names = source.files().iter().map(|file| &file.path);
    names
        .filter(|path| path.directory() == directory && is_source(path.name()))
        .map(|path| Ok((path.name().to_owned(), read(source, path.as_str())?)))
        .collect()
}

fn expect_main(source: &Source, directory: String, platform: Platform) -> Result<(), GoError> {
    match Contents::of(go_files(source, &directory)?, platform) {
        Contents::Program => Ok(()),
        Contents::Library(package) => Err(GoError::Library { directory, package }),
        Contents::Nothing => Err(GoError::NoMain { directory }),
    }
}

/// The beginning of a file of the source.
fn read(source: &Source, name: &str) -> Result<String, GoError> {
    let path = source.root().join(name);
    let mut text = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(MOST).read_to_end(&mut text))
        .map_err(|source| GoError::Read { path, source })?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements_that_lead_out() {
        for (directory, target, out) in [
            ("src", "./x", false),
            ("src", "../x", false),
            ("src", "../../x", true),
            ("src/a/b", "../../x", false),
            ("src", "x/../../../y", true),
            ("src", "/x", true),
            ("src", "..\\x", true),
            ("src", "C:/x", true),
        ] {
            assert_eq!(leads_out(directory, target), out, "{target}");
        }
    }
}
