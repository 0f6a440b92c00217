//! `selvedge inspect`: what is in a package, and whether anybody would take it.

use std::fmt::{self, Write as _};

use anyhow::{Context, bail};
use selvedge_buildpack::language::Language;
use selvedge_buildpack::package::{CODE_FILE, Inspection, Interrupt, Refusal, RefusedBy, Report};

use crate::compile::{self, Compiled};
use crate::listing;
use crate::outcome::Outcome;
use crate::resolved::{Form, InspectRequest};
use crate::screen::{BAD, BOLD, GOOD, show};

pub(crate) fn run(request: &InspectRequest) -> anyhow::Result<Outcome> {
    // What is in temporary directories by then goes with them.
    let interrupt = Interrupt::default();
    let handler = interrupt.clone();
    ctrlc::set_handler(move || handler.request()).context("cannot listen for Ctrl-C")?;
    let mut inspection = Inspection::of(&request.file, &interrupt)?;
    if request.compile && inspection.report.refusals.is_empty() {
        let refusal = refused_by_compiler(&inspection)?;
        inspection.report.refusals.extend(refusal);
    }
    let report = &inspection.report;
    let text = match request.form {
        Form::Text => text(report)?,
        Form::Json => serde_json::to_string_pretty(report)? + "\n",
    };
    show(&text)?;
    Ok(if report.refusals.is_empty() { Outcome::Done } else { Outcome::Refused })
}

fn refused_by_compiler(inspection: &Inspection) -> anyhow::Result<Option<Refusal>> {
    let metadata = inspection.report.metadata.as_ref().context("it has no metadata")?;
    // Of what is not built there is nothing to compile.
    let language = Language::of(&metadata.kind).filter(|language| language.is_compiled());
    let Some(language) = language else { return Ok(None) };
    match compile::code(language, inspection.code(), &metadata.path)? {
        Compiled::Cleanly => Ok(None),
        Compiled::Untried(reason) => bail!("--compile cannot compile: {reason}"),
        Compiled::Not(errors) => {
            let reason = format!("does not compile: {}", errors.join(" | "));
            Ok(Some(Refusal { by: RefusedBy::Selvedge, file: CODE_FILE.to_owned(), reason }))
        }
    }
}

fn text(report: &Report) -> Result<String, fmt::Error> {
    let mut text = format!("{} ({})\n", report.file.display(), listing::size(report.size));
    let mut line =
        |name: &str, value: &dyn fmt::Display| writeln!(text, "{BOLD}{name:<10}{BOLD:#}  {value}");
    match &report.package_id {
        Some(id) => line("package ID", id)?,
        None => line("digest", &report.digest)?,
    }
    if let Some(metadata) = &report.metadata {
        line("label", &metadata.label)?;
        line("type", &metadata.kind)?;
        let (name, place) = listing::place(report.elsewhere.as_ref(), metadata);
        line(name, &place)?;
    }
    line("files", &report.files.len())?;
    let files = report.files.iter().map(|file| (file.path.as_str(), file.size));
    text.push_str(&listing::all(files)?);
    if !report.indexes.is_empty() {
        writeln!(text, "{BOLD}indexes{BOLD:#}")?;
    }
    for index in &report.indexes {
        let name = index.path.name();
        match &index.collection {
            Some(collection) => writeln!(text, "  {name} (of the collection {collection})")?,
            None => writeln!(text, "  {name} (of the public state)")?,
        }
    }
    listing::remarks(&report.remarks, &mut text)?;
    verdict(report, &mut text)?;
    Ok(text)
}

fn verdict(report: &Report, text: &mut String) -> fmt::Result {
    if report.refusals.is_empty() {
        return writeln!(text, "{GOOD}nothing speaks against it{GOOD:#}");
    }
    writeln!(text, "{BAD}would be refused{BAD:#}")?;
    refusals(&report.refusals, text)
}

/// A line for each refusal.
pub(crate) fn refusals(refusals: &[Refusal], text: &mut String) -> fmt::Result {
    for Refusal { by, file, reason } in refusals {
        let by = match by {
            RefusedBy::Peer => "by the peer",
            RefusedBy::Selvedge => "by Selvedge",
        };
        writeln!(text, "  {by}: {file}: {reason}")?;
    }
    Ok(())
}
