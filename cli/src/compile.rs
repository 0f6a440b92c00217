//! Whether code compiles, asked of its language's tools as the launcher asks them: a peer tells the
//! one who installs a package that does not compile no more than `exit status 1` (Fabric
//! `core/container/externalbuilder/session.go`).

use std::fmt;
use std::path::Path;

use selvedge_buildpack::language::Language;
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::recipe::{
    Answer, BuildCommand, BuildFailure, Workplace, Workshop, carry_out,
};
use selvedge_buildpack::source::Source;

use crate::tools::{self, Ran, scratch};

/// What the compiler says. The program is thrown away.
pub(crate) enum Compiled {
    /// Nothing.
    Cleanly,
    /// Its first errors.
    Not(Vec<String>),
    /// It was not asked.
    Untried(Untried),
}

/// Why the compiler was not asked. None of it is the code's fault.
pub(crate) enum Untried {
    /// There is no such program on the PATH.
    Missing(String),
    /// The language's tools have no place to work in; the variables that could name one.
    NoDirectories(Language, Vec<&'static str>),
}

impl fmt::Display for Untried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(program) => write!(f, "there is no `{program}` in the PATH"),
            Self::NoDirectories(language, variables) => {
                let variables = variables.join(" and ");
                write!(f, "{language} has no directory for its caches: set HOME, or {variables}")
            }
        }
    }
}

/// Compiles the code below `root`, which lies as in a package whose metadata has this `path`.
pub(crate) fn code(language: Language, root: &Path, path: &str) -> anyhow::Result<Compiled> {
    let source = Source::open(root)?;
    let recipe = language.recipe(&source, path, Platform::host()?)?;
    let (own, output) = (scratch()?, scratch()?);
    let toolchain = tools::toolchain(language, own.path())?;
    if !toolchain.own().is_empty() {
        // What is downloaded is not to be downloaded each time.
        let variables = toolchain.own().to_vec();
        return Ok(Compiled::Untried(Untried::NoDirectories(language, variables)));
    }
    let place = Workplace { source: root, output: output.path() };
    let made = pollster::block_on(carry_out(&*recipe, &toolchain, &place, &mut Here));
    match made {
        Ok(parts) => Ok(match recipe.form().check(&parts) {
            Ok(()) => Compiled::Cleanly,
            // The launcher could make no image of it.
            Err(error) => Compiled::Not(vec![error.to_string()]),
        }),
        Err(BuildFailure::Compile(errors)) => Ok(Compiled::Not(errors)),
        Err(BuildFailure::Refused(refusal)) => Ok(Compiled::Not(vec![refusal.to_string()])),
        Err(BuildFailure::Workshop(NotRun::Missing(program))) => {
            Ok(Compiled::Untried(Untried::Missing(program)))
        }
        Err(BuildFailure::Workshop(NotRun::Failed(error))) => Err(error),
        Err(BuildFailure::Place(error)) => {
            Err(anyhow::Error::new(error).context("cannot copy the code to build it"))
        }
    }
}

/// This machine, without a word on the screen.
struct Here;

/// Why a command was not run to its end.
enum NotRun {
    /// There is no such program.
    Missing(String),
    Failed(anyhow::Error),
}

impl Workshop for Here {
    type Error = NotRun;

    async fn run(&mut self, command: &BuildCommand) -> Result<Answer, NotRun> {
        match tools::run(command).map_err(NotRun::Failed)? {
            Ran::Well(output) => Ok(Answer { succeeded: true, output }),
            Ran::Failed(output) => Ok(Answer { succeeded: false, output }),
            Ran::Missing(program) => Err(NotRun::Missing(program)),
        }
    }

    async fn ask(&mut self, command: &BuildCommand) -> Result<Answer, NotRun> {
        self.run(command).await
    }
}
