//! Node chaincode, JavaScript and TypeScript: what its package says, how it is built and started.

mod fetch;
mod files;
mod gyp;
mod lock_file;
mod manager;
mod output;
mod package_json;
mod places;
mod plan;
mod project;
mod shim;
mod start;
mod vendoring;

use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::platform::Platform;
use crate::recipe::{
    BuildCommand, Buildpack, Recipe, Refusal, Toolchain, Vendoring, trusted_by_git, trusted_by_node,
};
use crate::shim::Shim;
use crate::source::Source;

use files::DIRECTORY;
pub(crate) use gyp::is_leaving;
pub(crate) use lock_file::scripted;
pub(crate) use plan::NOTES;
use plan::{ALLOWED, NodeBuild};
pub use project::NodeError;
pub(crate) use project::NodeProject;
use start::NODE;

/// Node's entry among the languages.
pub(crate) struct Node;

/// What prints the versions of both tools in one line: what npm makes of a lock file changes, too.
/// One without npm may do, where a package brings its dependencies along.
const VERSIONS: &str = "let npm; try { npm = require('child_process')\
    .execFileSync('npm', ['--version'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim() } \
    catch { npm = 'none' } `node ${process.versions.node} npm ${npm}`";

impl Buildpack for Node {
    fn toolchain(
        &self,
        variables: &mut dyn Iterator<Item = (OsString, OsString)>,
        own: &Path,
    ) -> io::Result<Toolchain> {
        let mut toolchain = Toolchain::new(variables, ALLOWED);
        // All of the package managers keep their caches below it, and fail where they cannot.
        toolchain.provide_home(own)?;
        trusted_by_node(&mut toolchain, own)?;
        trusted_by_git(&mut toolchain, own)?;
        Ok(toolchain)
    }

    fn version(&self, toolchain: &Toolchain) -> Option<BuildCommand> {
        let arguments = vec!["-p".into(), VERSIONS.into()];
        Some(toolchain.command(NODE, arguments, &[], Path::new("/")))
    }

    /// The metadata's path is that of the directory that somebody packaged, and means nothing
    /// (Fabric `core/chaincode/platforms/node/platform.go`).
    fn recipe(
        &self,
        source: &Source,
        _path: &str,
        _platform: Platform,
    ) -> Result<Box<dyn Recipe>, Refusal> {
        let project = NodeProject::open(source).map_err(|error| Refusal::Code(error.into()))?;
        Ok(Box::new(NodeBuild::new(project)))
    }

    fn shim(&self, source: &Source, _path: &str) -> Shim {
        // Of what cannot be read so far, the build says why.
        shim::shim(source).unwrap_or_default()
    }

    fn vendoring(
        &self,
        _directory: &Path,
        staged: &Path,
        toolchain: &Toolchain,
    ) -> Result<Option<Vendoring>, Refusal> {
        let refused = |error: NodeError| Refusal::Code(error.into());
        let source = Source::open(staged).map_err(|error| Refusal::Code(error.into()))?;
        let project = NodeProject::open(&source).map_err(refused)?;
        project.vendoring(&staged.join(DIRECTORY), toolchain).map_err(refused)
    }

    fn arguments(&self, address: &str) -> Vec<String> {
        vec!["--peer.address".to_owned(), address.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn a_home_where_there_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let good = directory.path();
        for (home, own) in [
            (Some(good), &[][..]),
            (None, &["HOME"]),
            // Nothing can be made below a file.
            (Some(Path::new("/dev/null")), &["HOME"]),
            (Some(Path::new("relative")), &["HOME"]),
        ] {
            let variables = home.map(|home| ("HOME".into(), home.into()));
            let toolchain = Language::Node.toolchain(variables, &good.join("own")).unwrap();
            assert_eq!(toolchain.own(), own, "{home:?}");
            let environment = Language::Node.version(&toolchain).unwrap().environment;
            let home = environment.iter().find(|(name, _)| name == "HOME").unwrap();
            assert!(Path::new(&home.1).is_dir());
        }
    }
}
