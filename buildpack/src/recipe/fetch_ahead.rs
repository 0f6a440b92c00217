//! What a recipe says is to be fetched, fetched: the same for all who do it.

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
        let Answer { succeeded, output } =
            workshop.ask(&question).await.map_err(BuildFailure::Workshop)?;
        expect(succeeded, recipe, &question, &output)?;
        said = output;
    }
    let need = fetch.need(&said, &toolchain, place, shared).map_err(BuildFailure::Place)?;
    for command in &need.required {
        let Answer { succeeded, output } =
            workshop.run(command).await.map_err(BuildFailure::Workshop)?;
        expect(succeeded, recipe, command, &output)?;
    }
    for command in &need.helpful {
        workshop.run(command).await.map_err(BuildFailure::Workshop)?;
    }
    for place in &need.places {
        Dependencies::mark(place);
    }
    Ok(())
}

fn expect<E>(
    succeeded: bool,
    recipe: &dyn Recipe,
    command: &BuildCommand,
    output: &str,
) -> Result<(), BuildFailure<E>> {
    if succeeded {
        return Ok(());
    }
    let failure = Failure { command, output, answer: None };
    Err(BuildFailure::Compile(recipe.errors(&failure)))
}
