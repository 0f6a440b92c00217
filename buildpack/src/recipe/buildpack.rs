//! What stands behind each entry in the list of languages.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::command::BuildCommand;
use super::mirror::Mirror;
use super::plan::Recipe;
use super::refusal::Refusal;
use super::toolchain::Toolchain;
use super::vendoring::Vendoring;
use crate::platform::Platform;
use crate::shim::Shim;
use crate::source::Source;

/// What a language knows of building and starting its chaincode.
pub(crate) trait Buildpack: Sync {
    /// [`Language::toolchain`](crate::language::Language::toolchain).
    fn toolchain(
        &self,
        variables: &mut dyn Iterator<Item = (OsString, OsString)>,
        own: &Path,
    ) -> io::Result<Toolchain>;

    /// [`Language::runs_packages`](crate::language::Language::runs_packages).
    fn runs_packages(&self) -> bool {
        true
    }

    /// [`Language::version`](crate::language::Language::version).
    fn version(&self, toolchain: &Toolchain) -> Option<BuildCommand>;

    /// [`Language::recipe`](crate::language::Language::recipe).
    fn recipe(
        &self,
        source: &Source,
        path: &str,
        platform: Platform,
    ) -> Result<Box<dyn Recipe>, Refusal>;

    /// [`Language::mirror`](crate::language::Language::mirror).
    fn mirror(&self) -> Option<&'static dyn Mirror> {
        None
    }

    /// [`Language::vendoring`](crate::language::Language::vendoring).
    fn vendoring(
        &self,
        directory: &Path,
        staged: &Path,
        toolchain: &Toolchain,
    ) -> Result<Option<Vendoring>, Refusal>;

    /// [`Language::shim`](crate::language::Language::shim).
    fn shim(&self, _source: &Source, _path: &str) -> Shim {
        Shim::Dials
    }

    /// [`Language::arguments`](crate::language::Language::arguments).
    fn arguments(&self, address: &str) -> Vec<String>;
}
