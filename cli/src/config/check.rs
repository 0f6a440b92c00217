//! `selvedge config check`: everything that is wrong with an operator's file, at once.

use std::fmt::{self, Write as _};

use selvedge_config::{Fault, Match, Place, Unmatched};
use selvedge_manifest::Lifting;
use serde::Serialize;

use crate::operators_file::{NotRight, Right, at, told};
use crate::outcome::Outcome;
use crate::resolved::{CheckRequest, Form};
use crate::screen::{BOLD, DOUBTFUL, GOOD, show};

/// What `--json` prints.
#[derive(Default, Serialize)]
struct Verdict {
    file: String,
    right: bool,
    faults: Vec<Fault>,
    /// Overrides that are for none of the given labels.
    warnings: Vec<Remark>,
    /// What overlays lift of the pods' security, as they are allowed to.
    notes: Vec<Remark>,
}

/// Something that no launcher refuses the file for.
#[derive(Serialize)]
struct Remark {
    #[serde(flatten)]
    place: Option<Place>,
    path: String,
    message: String,
}

pub(crate) fn run(request: &CheckRequest) -> anyhow::Result<Outcome> {
    let verdict = match Right::of(request.file.read()?) {
        Ok(right) => Verdict::of_right(right, &request.labels),
        Err(NotRight { name, faults }) => {
            Verdict { file: name, faults: faults.0, ..Verdict::default() }
        }
    };
    let text = match request.form {
        Form::Text => verdict.text()?,
        Form::Json => serde_json::to_string_pretty(&verdict)? + "\n",
    };
    show(&text)?;
    Ok(if verdict.right { Outcome::Done } else { Outcome::Refused })
}

impl Verdict {
    fn of_right(right: Right, labels: &[String]) -> Self {
        let unmatched =
            if labels.is_empty() { Vec::new() } else { right.operator.unmatched_by_label(labels) };
        Self {
            file: right.name,
            right: true,
            faults: Vec::new(),
            warnings: unmatched.into_iter().map(|one| Remark::of_unmatched(one, labels)).collect(),
            notes: right.liftings.into_iter().map(Remark::of_lifting).collect(),
        }
    }

    fn text(&self) -> Result<String, fmt::Error> {
        let Self { file, right, faults, warnings, notes } = self;
        let mut text = String::new();
        for fault in faults {
            writeln!(text, "{}", told(file, fault))?;
        }
        for (remarks, style, word) in [(warnings, DOUBTFUL, "warning"), (notes, BOLD, "note")] {
            for Remark { place, path, message } in remarks {
                let at = at(file, *place);
                writeln!(text, "{at} {style}{word}:{style:#} {path}: {message}")?;
            }
        }
        if *right {
            writeln!(text, "{file} is {GOOD}right{GOOD:#}")?;
        }
        Ok(text)
    }
}

impl Remark {
    fn of_unmatched(Unmatched { number, matching, place }: Unmatched, labels: &[String]) -> Self {
        let Match { label, .. } = matching;
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        Self {
            place,
            path: format!("overrides[{number}].match"),
            message: format!(
                "`{}` is the label of no chaincode; there are {}",
                label.unwrap_or_default(),
                labels.join(", ")
            ),
        }
    }

    fn of_lifting(Lifting { place, path, lifted }: Lifting) -> Self {
        let message =
            format!("lifts `{}` of the pods' security, as `allow` says", lifted.allowance);
        Self { place, path, message }
    }
}
