//! `selvedge config show`: what applies to a chaincode, and where each value comes from.

use comfy_table::{ContentArrangement, Table, presets};
use selvedge_config::{Origin, Place, Said, Subject};
use serde::Serialize;
use serde_json::Value;

use crate::operators_file::Right;
use crate::outcome::Outcome;
use crate::resolved::{Form, ShowRequest};
use crate::screen::{BOLD, show, width};
use crate::yaml;

/// What `--json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    label: &'a str,
    msp: &'a str,
    peer: &'a str,
    keys: Vec<Applied>,
}

/// A key, its value, and where that comes from.
#[derive(Serialize)]
struct Applied {
    key: String,
    value: Value,
    /// `FILE:LINE`, or `default`.
    from: String,
    /// Not of a default.
    #[serde(flatten)]
    place: Option<Place>,
}

pub(crate) fn run(request: &ShowRequest) -> anyhow::Result<Outcome> {
    let right = Right::of_source(request.file.as_ref())?;
    let Subject { label, msp, peer } = &request.subject;
    // What is sound override by override may not be so together.
    right.variant(&request.subject)?;
    let said = right.operator.said(&request.subject);
    let mut keys: Vec<Applied> =
        said.into_iter().map(|said| Applied::of(said, &right.name)).collect();
    keys.sort_by(|one, other| one.key.cmp(&other.key));
    let text = match request.form {
        Form::Text => table(&keys)?,
        Form::Json => serde_json::to_string_pretty(&Shown { label, msp, peer, keys })? + "\n",
    };
    show(&text)?;
    Ok(Outcome::Done)
}

impl Applied {
    fn of(Said { path, value, origin }: Said, file: &str) -> Self {
        let (from, place) = match origin {
            Origin::Default => ("default".to_owned(), None),
            Origin::File(place) => (format!("{file}:{}", place.line), Some(place)),
        };
        Self { key: path, value, from, place }
    }
}

/// A table as wide as the terminal at most; elsewhere each key has one line.
fn table(keys: &[Applied]) -> anyhow::Result<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(["KEY", "VALUE", "FROM"]);
    for Applied { key, value, from, .. } in keys {
        table.add_row([key, &yaml::line(value)?, from]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.trim_fmt();
    let (head, rows) = text.split_once('\n').unwrap_or((&text, ""));
    Ok(format!("{BOLD}{head}{BOLD:#}\n{rows}\n"))
}
