//! Takes the dependencies of a chaincode along into its package.

use anyhow::{Context, bail};
use selvedge_buildpack::language::Language;
use selvedge_buildpack::package::{Draft, Interrupt};
use tempfile::TempDir;

use crate::resolved::PackageRequest;
use crate::tools::{Ran, run, scratch, toolchain};

/// Adds to the draft what it does not bring along yet. The files lie in the directory that is
/// returned, until the package is written.
pub(crate) fn take_along(
    language: Language,
    request: &PackageRequest,
    draft: &mut Draft,
    interrupt: &Interrupt,
) -> anyhow::Result<TempDir> {
    let staged = scratch()?;
    draft.copy_to(staged.path(), interrupt)?;
    let own = scratch()?;
    let tools = toolchain(language, own.path())?;
    let directory = request
        .directory
        .canonicalize()
        .with_context(|| request.directory.display().to_string())?;
    let Some(vendoring) = language.vendoring(&directory, staged.path(), &tools)? else {
        return Ok(staged);
    };
    let typed = &vendoring.typed;
    anstream::eprintln!("taking dependencies along: {typed}");
    for command in &vendoring.commands {
        match run(command)? {
            Ran::Well(_) => {}
            Ran::Failed(output) => {
                bail!(
                    "the dependencies cannot be taken along: `{typed}` failed:\n{}",
                    output.trim()
                )
            }
            Ran::Missing(program) => {
                bail!("the dependencies cannot be taken along: there is no `{program}` in the PATH")
            }
        }
    }
    draft.take_along(&vendoring)?;
    Ok(staged)
}
