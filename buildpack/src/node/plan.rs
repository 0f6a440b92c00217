//! The one way a Node chaincode is built: a pure function of what its package says.

use std::io;
use std::path::{Path, PathBuf};

use super::files::DIRECTORY;
use super::gyp::remove_leavings;
use super::manager::{Manager, Step};
use super::output::{REGISTRIES, first_errors};
use super::project::{Made, MadeBy, NodeError, NodeProject, Packed};
use super::start::{LAUNCHER_FILE, Launch};
use crate::archive::Packing;
use crate::image::{Form, LayerForm, Part, Tree};
use crate::recipe::{BuildCommand, Failure, Fetch, Recipe, Refusal, Toolchain, Workplace, copy};

/// The variables of the caller that reach the package managers: where they find themselves, their
/// registries and who they are there, and caches. Whatever scripts run in a build can read them.
pub(super) const ALLOWED: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "NPM_CONFIG_*",
    "npm_config_*",
    "NPM_TOKEN",
    "NODE_AUTH_TOKEN",
    "YARN_*",
    "PNPM_HOME",
    "COREPACK_*",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
];

/// What wins over the caller's: questions to the registry that no build needs, and what makes Yarn
/// keep dependencies where everybody looks for them.
pub(super) const PINNED: &[(&str, &str)] = &[
    ("YARN_ENABLE_TELEMETRY", "0"),
    ("YARN_NODE_LINKER", "node-modules"),
    ("npm_config_audit", "false"),
    ("npm_config_fund", "false"),
    ("npm_config_progress", "false"),
    ("npm_config_update_notifier", "false"),
];

/// Makes the links to the programs of packages that came without them, and runs nothing of theirs.
const LINK_PROGRAMS: &[&str] = &["rebuild", "--ignore-scripts", "--offline"];

/// Where the dependencies are, in the chaincode's directory.
pub(super) const DEPENDENCIES: &str = "node_modules";

/// What package managers and compilers note there for themselves: times, places, and the registry's
/// address as it was given to them, with a credential if one was in it.
pub(crate) const NOTES: &[&str] = &[
    ".cache",
    ".modules.yaml",
    ".package-lock.json",
    ".pnpm-workspace-state-v1.json",
    ".yarn-integrity",
    ".yarn-state.yml",
];

/// What of the chaincode's directory is none of its code: the dependencies, which have a layer of
/// their own, and what may hold credentials for a registry.
const NO_CODE: &[&str] = &[DEPENDENCIES, ".git", ".npmrc", ".yarnrc", ".yarnrc.yml"];

/// The directory in the output in which all is done: a source stays what it is.
const PLACE: &str = "chaincode";

/// Raised when the commands of a recipe change in what they make.
const VERSION: &str = "node 2";

/// A layer with what lies below this directory.
const fn below(what: &'static str, directory: &'static str) -> LayerForm {
    LayerForm::Below { what, directory, packing: Packing::Deflated }
}

/// What is to be built.
#[derive(Clone, Debug)]
pub(super) struct NodeBuild {
    project: NodeProject,
}

impl NodeBuild {
    /// Plans the build.
    pub(super) fn new(project: NodeProject) -> Self {
        Self { project }
    }

    /// Whether the script `build` is run.
    pub(super) fn is_built(&self) -> bool {
        self.project.is_built()
    }

    /// The commands: programs with their arguments.
    fn steps(&self) -> Vec<(&'static str, &'static [&'static str])> {
        let manager = self.project.manager;
        let step = |step| (manager.program(), manager.arguments(step));
        let builds = self.project.is_built();
        let by_npm = matches!(self.project.launch, Launch::Npm { .. });
        match self.project.packed {
            // As they are, and without a network.
            Some(Packed { without_programs }) => {
                let links = (without_programs && (builds || by_npm))
                    .then(|| (Manager::Npm.program(), LINK_PROGRAMS));
                links.into_iter().chain(builds.then(|| step(Step::Build))).collect()
            }
            None if builds => [Step::InstallAll, Step::Build, Step::Prune].map(step).into(),
            None => vec![step(Step::Install)],
        }
    }

    fn directory(place: &Workplace<'_>) -> PathBuf {
        place.output.join(PLACE)
    }
}

impl Recipe for NodeBuild {
    fn inputs(&self) -> Vec<String> {
        let steps = self.steps();
        let commands =
            steps.iter().map(|(program, arguments)| [&[*program], *arguments].concat().join(" "));
        let start = self.project.launch.start().entrypoint;
        [VERSION.to_owned()].into_iter().chain(commands).chain(start).collect()
    }

    fn form(&self) -> Form {
        Form {
            layers: vec![
                below("dependencies", "usr/local/src/node_modules"),
                below("chaincode", "usr/local/src"),
            ],
            start: self.project.launch.start(),
        }
    }

    /// Of other package managers the caches hold what was unpacked or made, and of npm without a lock
    /// file nobody knows what it will install.
    fn fetch(&self) -> Option<&dyn Fetch> {
        let is_known = self.project.manager == Manager::NpmLocked && self.project.packed.is_none();
        if is_known { Some(self) } else { None }
    }

    fn prepare(&self, _toolchain: &Toolchain, place: &Workplace<'_>) -> io::Result<()> {
        copy(&place.source.join(DIRECTORY), &Self::directory(place))
    }

    fn commands(&self, toolchain: &Toolchain, place: &Workplace<'_>) -> Vec<BuildCommand> {
        let directory = Self::directory(place);
        let command = |(program, arguments): (&str, &[&str])| {
            let arguments = arguments.iter().map(Into::into).collect();
            toolchain.command(program, arguments, PINNED, &directory)
        };
        self.steps().into_iter().map(command).collect()
    }

    fn question(
        &self,
        _output: &str,
        _toolchain: &Toolchain,
        _place: &Workplace<'_>,
    ) -> Option<BuildCommand> {
        None
    }

    fn errors(&self, failure: &Failure<'_>) -> Vec<String> {
        let Failure { command, output, .. } = failure;
        // What lies in a directory that nobody knows.
        let directory = format!("{}/", command.directory.display());
        let words = command.arguments.iter().map(|word| word.to_string_lossy());
        let words: Vec<_> = [command.program.to_string_lossy()].into_iter().chain(words).collect();
        let failed = format!("`{}` failed", words.join(" "));
        let errors = first_errors(&output.replace(&directory, ""));
        [vec![failed], failure.with_wait(errors, REGISTRIES)].concat()
    }

    fn parts(&self, place: &Workplace<'_>) -> Result<Vec<Part>, Refusal> {
        let root = Self::directory(place);
        self.expect_what_is_started(&root).map_err(|error| Refusal::Code(error.into()))?;
        remove_leavings(&root).map_err(|error| Refusal::Code(NodeError::Leavings(error).into()))?;
        let dependencies = Tree { root: root.clone(), part: DEPENDENCIES, without: NOTES };
        let code = Tree { root, part: "", without: NO_CODE };
        Ok([dependencies, code].map(Part::Tree).into())
    }
}

impl NodeBuild {
    fn expect_what_is_started(&self, root: &Path) -> Result<(), NodeError> {
        if let Some(Made { file, by }) = &self.project.made {
            let there = ["", ".js", "/index.js"].iter().any(|ending| {
                root.join(format!("{}{ending}", file.trim_end_matches('/'))).is_file()
            });
            if !there {
                return Err(match by {
                    MadeBy::Build => NodeError::NotBuilt(file.clone()),
                    MadeBy::Install => NodeError::NotMade(file.clone()),
                });
            }
        }
        let by_shim = matches!(self.project.launch, Launch::Shim(_));
        if by_shim && !root.join(LAUNCHER_FILE).is_file() {
            return Err(NodeError::NoShim(LAUNCHER_FILE));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(manager: Manager) -> NodeProject {
        let launch = Launch::Shim(vec!["start".to_owned()]);
        NodeProject { launch, manager, packed: None, made: None, linked: None }
    }

    fn made(file: &str, by: MadeBy, manager: Manager) -> NodeProject {
        let made = Some(Made { file: file.to_owned(), by });
        NodeProject { made, ..project(manager) }
    }

    fn commands(project: NodeProject) -> Vec<String> {
        let variables = [("PATH", "/usr/bin"), ("npm_config_registry", "x"), ("AWS_SECRET", "s")];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let toolchain = Toolchain::new(&mut variables.into_iter(), ALLOWED);
        let place = Workplace { source: Path::new("/work"), output: Path::new("/out") };
        let commands = NodeBuild::new(project).commands(&toolchain, &place);
        let shown = commands.into_iter().map(|command| {
            assert_eq!(command.directory, Path::new("/out/chaincode"));
            let names = command.environment.iter().map(|(name, _)| name.to_string_lossy());
            let expected = PINNED.iter().map(|(name, _)| *name);
            let mut expected: Vec<&str> = expected.chain(["PATH", "npm_config_registry"]).collect();
            expected.sort_unstable();
            assert_eq!(names.collect::<Vec<_>>(), expected);
            let arguments = command.arguments.iter().map(|word| word.to_string_lossy());
            let words: Vec<_> =
                [command.program.to_string_lossy()].into_iter().chain(arguments).collect();
            words.join(" ")
        });
        shown.collect()
    }

    #[test]
    fn as_fabrics_own_image_does_it() {
        assert_eq!(commands(project(Manager::NpmLocked)), ["npm ci --omit=dev"]);
        assert_eq!(commands(project(Manager::Npm)), ["npm install --no-package-lock --omit=dev"]);
    }

    #[test]
    fn typescript_is_compiled_with_what_stays_out() {
        let typescript = |manager| made("dist/index.js", MadeBy::Build, manager);
        assert_eq!(
            commands(typescript(Manager::NpmLocked)),
            ["npm ci --include=dev", "npm run build", "npm prune --omit=dev"]
        );
        let pnpm = commands(typescript(Manager::Pnpm));
        let at_install = made("dist/index.js", MadeBy::Install, Manager::NpmLocked);
        assert_eq!(commands(at_install), ["npm ci --omit=dev"]);
        assert_eq!(pnpm[1..], ["pnpm run build", "pnpm prune --prod"]);
    }

    #[test]
    fn dependencies_in_the_package_are_used_as_they_are() {
        let without = Some(Packed { without_programs: true });
        let packed = NodeProject { packed: without, ..project(Manager::NpmLocked) };
        assert!(commands(packed.clone()).is_empty());
        let by_npm = NodeProject { launch: Launch::Npm { file: None }, ..packed };
        assert_eq!(commands(by_npm), ["npm rebuild --ignore-scripts --offline"]);
    }

    #[test]
    fn what_decides_the_outcome() {
        let inputs = |project| NodeBuild::new(project).inputs();
        let by_npm = NodeProject { launch: Launch::Npm { file: None }, ..project(Manager::Npm) };
        let all = [project(Manager::Npm), project(Manager::NpmLocked), by_npm].map(inputs);
        assert!(all[0] != all[1] && all[0] != all[2]);
        let start = ["node", "node_modules/fabric-shim/cli.js", "start"];
        assert_eq!(
            all[0],
            [&["node 2", "npm install --no-package-lock --omit=dev"][..], &start].concat()
        );
    }

    #[test]
    fn what_no_command_has_made() {
        let directory = tempfile::tempdir().unwrap();
        let place = Workplace { source: directory.path(), output: directory.path() };
        let refused = |project| NodeBuild::new(project).parts(&place).unwrap_err().to_string();
        let by = |by| refused(made("dist", by, Manager::Npm));
        assert!(by(MadeBy::Build).starts_with("the script `build` did not make `dist`"));
        assert!(by(MadeBy::Install).contains("no script that runs at an install made it"));
        assert!(refused(project(Manager::Npm)).contains("no node_modules/fabric-shim/cli.js"));
    }
}
