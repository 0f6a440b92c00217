//! A recipe carried out: the same steps for a build on this machine, in a cluster, and by the CLI.

use std::future::Future;
use std::io;
use std::time::Instant;

use super::command::BuildCommand;
use super::plan::{Failure, Recipe};
use super::refusal::Refusal;
use super::toolchain::Toolchain;
use super::workplace::Workplace;
use crate::image::Part;

/// Runs commands, each to its end.
pub trait Workshop {
    /// Why a command could not be run.
    type Error;

    /// Runs a command, and shows what it writes to whoever waits.
    fn run(
        &mut self,
        command: &BuildCommand,
    ) -> impl Future<Output = Result<Answer, Self::Error>> + Send;

    /// Runs a short command, and shows nothing.
    fn ask(
        &mut self,
        command: &BuildCommand,
    ) -> impl Future<Output = Result<Answer, Self::Error>> + Send;
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it did what it was to do.
    pub succeeded: bool,
    /// What it wrote on both streams, the beginning and the end of it if that is much.
    pub output: String,
}

/// Why a recipe brought nothing.
#[derive(Debug)]
pub enum BuildFailure<E> {
    /// The place could not be made ready.
    Place(io::Error),
    /// A command could not be run.
    Workshop(E),
    /// A command failed, with these first errors.
    Compile(Vec<String>),
    /// What came of it is not what it should be.
    Refused(Refusal),
}

/// Builds; what was made, a part for each layer of the recipe's form.
pub async fn carry_out<W: Workshop>(
    recipe: &dyn Recipe,
    toolchain: &Toolchain,
    place: &Workplace<'_>,
    workshop: &mut W,
) -> Result<Vec<Part>, BuildFailure<W::Error>> {
    recipe.prepare(toolchain, place).map_err(BuildFailure::Place)?;
    for command in recipe.commands(toolchain, place) {
        let began = Instant::now();
        let Answer { succeeded, output } =
            workshop.run(&command).await.map_err(BuildFailure::Workshop)?;
        if succeeded {
            continue;
        }
        let (mut answer, lasted) = (None, began.elapsed());
        if let Some(question) = recipe.question(&output, toolchain, place) {
            // Without an answer, what the command said has to do.
            answer = workshop.ask(&question).await.ok().map(|answer| answer.output);
        }
        let answer = answer.as_deref();
        let failure = Failure { command: &command, output: &output, answer, lasted };
        if let Some(other) = recipe.instead(&failure) {
            return Box::pin(carry_out(&*other, toolchain, place, workshop)).await;
        }
        return Err(BuildFailure::Compile(recipe.errors(&failure)));
    }
    recipe.parts(place).map_err(BuildFailure::Refused)
}
