//! What a recipe says is to be fetched, fetched: the same for all who do it.

use std::time::{Duration, Instant};

use super::carry_out::{Answer, BuildFailure, Workshop};
use super::command::BuildCommand;
use super::dependencies::Dependencies;
use super::plan::{Failure, Recipe};
use super::toolchain::Toolchain;
use super::workplace::Workplace;

/// Fetches; nothing is done for a recipe that has nothing to be fetched.
pub async fn fetch_ahead<W: Workshop>(
    recipe: &dyn Recipe,
    toolchain: &Toolchain,
    place: &Workplace<'_>,
    shared: &Dependencies,
    workshop: &mut W,
) -> Result<(), BuildFailure<W::Error>> {
    let Some(fetch) = recipe.fetch() else { return Ok(()) };
    let toolchain = fetch.filling(toolchain, shared).map_err(BuildFailure::Place)?;
    let mut said = String::new();
    if let Some(question) = fetch.question(&toolchain, place) {
        let began = Instant::now();
        let answer = workshop.ask(&question).await.map_err(BuildFailure::Workshop)?;
        said = expect(answer, recipe, &question, began.elapsed())?;
    }
    let need = fetch.need(&said, &toolchain, place, shared).map_err(BuildFailure::Place)?;
    for command in &need.required {
        let began = Instant::now();
        let answer = workshop.run(command).await.map_err(BuildFailure::Workshop)?;
        expect(answer, recipe, command, began.elapsed())?;
    }
    for command in &need.helpful {
        workshop.run(command).await.map_err(BuildFailure::Workshop)?;
    }
    for place in &need.places {
        Dependencies::mark(place);
    }
    Ok(())
}

/// What a command wrote that has succeeded.
fn expect<E>(
    Answer { succeeded, output }: Answer,
    recipe: &dyn Recipe,
    command: &BuildCommand,
    lasted: Duration,
) -> Result<String, BuildFailure<E>> {
    if succeeded {
        return Ok(output);
    }
    let failure = Failure { command, output: &output, answer: None, lasted };
    Err(BuildFailure::Compile(recipe.errors(&failure)))
}
