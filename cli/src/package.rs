//! `selvedge package`: from a directory to a package.

use std::fmt::{self, Write as _};
use std::path::Path;

use anyhow::{Context, bail};
use selvedge_buildpack::language::Language;
use selvedge_buildpack::package::{
    Dependencies, Draft, Elsewhere, FileEntry, Interrupt, LeftOut, Metadata, PackageId, Packed,
    Remark, write,
};
use serde::Serialize;

use crate::compile::{self, Compiled};
use crate::listing;
use crate::outcome::Outcome;
use crate::resolved::{Check, Form, PackageRequest};
use crate::screen::{BOLD, GOOD, show};
use crate::tools::scratch;
use crate::vendor;

/// What `--json` prints.
#[derive(Serialize)]
struct Written<'a> {
    file: &'a Path,
    package_id: &'a PackageId,
    size: u64,
    metadata: &'a Metadata,
    #[serde(flatten)]
    elsewhere: Option<&'a Elsewhere>,
    files: Vec<FileEntry>,
    left_out: &'a [LeftOut],
    remarks: &'a [Remark],
}

pub(crate) fn run(request: &PackageRequest) -> anyhow::Result<Outcome> {
    let interrupt = Interrupt::default();
    let handler = interrupt.clone();
    ctrlc::set_handler(move || handler.request()).context("cannot listen for Ctrl-C")?;

    let mut draft = Draft::collect(&request.directory, request.dependencies)?;
    let language = Language::of(&draft.kind);
    let _vendored = match (request.dependencies, language) {
        (Dependencies::Packed, Some(language)) => {
            Some(vendor::take_along(language, request, &mut draft, &interrupt)?)
        }
        _ => None,
    };
    if request.check == Check::Compile
        && let Some(language) = language.filter(|language| language.is_compiled())
    {
        check(language, &draft, &interrupt)?;
    }
    let PackageRequest { label, output, existing, .. } = request;
    let packed =
        write(&draft, label, output, *existing, &interrupt).map_err(|error| hint(error, output))?;
    let text = match request.form {
        Form::Text => text(&draft, &packed, output)?,
        Form::Json => json(&draft, &packed, output)?,
    };
    show(&text)?;
    Ok(Outcome::Done)
}

/// Compiles what goes in, and not the directory: what stays out may be what the code needs.
/// Without a compiler nothing is checked, and a line says so.
fn check(language: Language, draft: &Draft, interrupt: &Interrupt) -> anyhow::Result<()> {
    let code = scratch()?;
    draft.copy_to(code.path(), interrupt)?;
    match compile::code(language, code.path(), &draft.path)? {
        Compiled::Cleanly => {}
        Compiled::Untried(reason) => anstream::eprintln!("not compiled before packaging: {reason}"),
        Compiled::Not(errors) => bail!(
            "the chaincode does not compile (--no-compile packages it all the same):\n  {}",
            errors.join("\n  ")
        ),
    }
    Ok(())
}

/// Adds what a person can do about it.
fn hint(error: selvedge_buildpack::package::WriteError, output: &Path) -> anyhow::Error {
    use selvedge_buildpack::package::WriteError;
    match error {
        WriteError::Exists { .. } => {
            anyhow::anyhow!("{} exists already; --force replaces it", output.display())
        }
        other => other.into(),
    }
}

fn text(draft: &Draft, packed: &Packed, output: &Path) -> Result<String, fmt::Error> {
    let files: Vec<(&str, u64)> =
        draft.files.iter().map(|file| (file.path.as_str(), file.size)).collect();
    let bytes = files.iter().map(|(_, bytes)| bytes).sum();
    let (name, place) = listing::place(draft.elsewhere.as_ref(), &packed.metadata);
    let mut text = format!(
        "{GOOD}Wrote{GOOD:#} {} ({})\n\
         {BOLD}package ID{BOLD:#}  {}\n\
         {BOLD}type{BOLD:#}        {}\n\
         {BOLD}{name:<10}{BOLD:#}  {place}\n\
         {BOLD}went in{BOLD:#}     {} files, {}\n{}",
        output.display(),
        listing::size(packed.size),
        packed.id,
        packed.metadata.kind,
        files.len(),
        listing::size(bytes),
        listing::summary(&files)?,
    );
    if !draft.left_out.is_empty() {
        writeln!(text, "{BOLD}left out{BOLD:#}")?;
        for LeftOut { path, reason } in &draft.left_out {
            writeln!(text, "  {path} ({reason})")?;
        }
    }
    listing::remarks(&draft.remarks, &mut text)?;
    Ok(text)
}

fn json(draft: &Draft, packed: &Packed, output: &Path) -> serde_json::Result<String> {
    let files = draft.files.iter();
    let written = Written {
        file: output,
        package_id: &packed.id,
        size: packed.size,
        metadata: &packed.metadata,
        elsewhere: draft.elsewhere.as_ref(),
        files: files.map(|file| FileEntry { path: file.path.clone(), size: file.size }).collect(),
        left_out: &draft.left_out,
        remarks: &draft.remarks,
    };
    Ok(serde_json::to_string_pretty(&written)? + "\n")
}
