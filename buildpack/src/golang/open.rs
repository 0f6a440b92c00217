//! What of a Go chaincode's source can be told before it is compiled.

use std::fs::File;
use std::io::Read;

use super::{GoError, GoMod, GoModule, GoPath, is_source, package_name};
use crate::source::Source;

/// The most of a file that is read, in bytes: what is looked for stands at its beginning.
const MOST: u64 = 4 << 20;

impl GoModule {
    /// Finds the module in a source, and makes sure that its code can be a chaincode: of a package
    /// that somebody made by hand, by the one who inspects it as by the one who builds it.
    pub fn open(source: &Source, path: &GoPath) -> Result<Self, GoError> {
        let module = Self::find(&source.paths(), path)?;
        let name = module.go_mod();
        let go_mod = GoMod::parse(&read(source, &name)?).ok_or(GoError::Unnamed(name))?;
        // A package of another module is for the compiler to find.
        if let Some(directory) = module.package_directory(&go_mod) {
            expect_main(source, directory)?;
        }
        Ok(module)
    }
}

fn expect_main(source: &Source, directory: String) -> Result<(), GoError> {
    for file in source.files() {
        let path = &file.path;
        if path.directory() == directory
            && is_source(path.name())
            && package_name(&read(source, path.as_str())?) == Some("main")
        {
            return Ok(());
        }
    }
    Err(GoError::NoMain { directory })
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
