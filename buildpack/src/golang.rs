//! Go chaincode: where its code is, how it is compiled, what its compiler says.

mod assembly;
mod caches;
mod code;
mod compiler;
mod constraint;
mod contents;
mod embed;
mod fetch;
mod go_mod;
mod open;
mod plan;
mod shim;
mod workspace;

use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::platform::Platform;
use crate::recipe::{
    BuildCommand, Buildpack, Recipe, Refusal, Toolchain, Vendoring, trusted_by_git,
};
use crate::shim::Shim;
use crate::source::Source;

pub use code::{Dependencies, GoCode, GoError, GoPath};
use compiler::{file_with_c, first_errors, without_c_compiler};
pub(crate) use constraint::is_source;
pub use contents::package_name;
pub(crate) use embed::Embeds;
pub use go_mod::GoMod;
use go_mod::unquoted;
use plan::{ALLOWED, GO, GoBuild, PINNED};
pub use workspace::{GoChaincode, GoChaincodeError};

/// Where a module's dependencies are in it.
const VENDOR: &str = "vendor";

/// Go's entry among the languages.
pub(crate) struct Golang;

impl Buildpack for Golang {
    fn toolchain(
        &self,
        variables: &mut dyn Iterator<Item = (OsString, OsString)>,
        own: &Path,
    ) -> io::Result<Toolchain> {
        let mut toolchain = Toolchain::new(variables, ALLOWED);
        caches::provide(&mut toolchain, own)?;
        trusted_by_git(&mut toolchain, own)?;
        Ok(toolchain)
    }

    /// The go command runs its compilers, with flags that it knows, and nothing else
    /// (`src/cmd/go/internal/work/security.go`). What it fetches it holds against `go.sum`, and keeps
    /// what it compiles under digests of all that went in.
    fn runs_packages(&self) -> bool {
        false
    }

    fn version(&self, toolchain: &Toolchain) -> Option<BuildCommand> {
        let arguments = vec!["env".into(), "GOVERSION".into()];
        Some(toolchain.command(GO, arguments, PINNED, Path::new("/")))
    }

    fn recipe(
        &self,
        source: &Source,
        path: &str,
        platform: Platform,
    ) -> Result<Box<dyn Recipe>, Refusal> {
        let path = path.parse().map_err(|error: GoError| Refusal::Path(error.into()))?;
        let code =
            GoCode::open(source, &path, platform).map_err(|error| Refusal::Code(error.into()))?;
        Ok(Box::new(GoBuild::new(code, platform)))
    }

    fn shim(&self, source: &Source, path: &str) -> Shim {
        // Of what cannot be read so far, the build says why.
        path.parse().and_then(|path| shim::shim(source, &path)).unwrap_or_default()
    }

    /// What a module is replaced by need not lie in the module: it is taken along, too.
    fn vendoring(
        &self,
        directory: &Path,
        staged: &Path,
        toolchain: &Toolchain,
    ) -> Result<Option<Vendoring>, Refusal> {
        let chaincode =
            GoChaincode::open(directory).map_err(|error| Refusal::Code(error.into()))?;
        if chaincode.is_vendored() {
            return Ok(None);
        }
        let from = staged.join(VENDOR);
        let arguments = vec!["mod".into(), VENDOR.into(), "-o".into(), from.clone().into()];
        let commands = vec![toolchain.command(GO, arguments, PINNED, &chaincode.module_root)];
        let typed = "go mod vendor".to_owned();
        Ok(Some(Vendoring { typed, commands, from, to: "src/vendor/", tidy: |_| Ok(()) }))
    }

    fn arguments(&self, address: &str) -> Vec<String> {
        // The shim takes the address from this flag alone.
        vec![format!("-peer.address={address}")]
    }
}
