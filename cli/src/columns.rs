//! Tables without borders that fit a terminal: what has no room in a row is said below it.

use std::fmt::{self, Write as _};

use anstyle::Style;
use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};

use crate::screen::{BOLD, DIM, plain};

/// What the table draws between rows, to be found again: no cell has it, as it is no character that
/// a terminal shows.
const BETWEEN: char = '\u{1}';

/// Rows without borders, told apart by a line that is never shown.
const STYLE: TableStyle = TableStyle::new()
    .header_separator(LineStyle::none().fill(BETWEEN))
    .row_separator(LineStyle::none().fill(BETWEEN));

/// What is between two columns.
const GAP: u16 = 2;

/// What a cell has in which there is nothing to say.
const NOTHING: &str = "-";

/// Columns, as many as there is room for.
pub(crate) struct Columns {
    heads: Vec<&'static str>,
    rows: Vec<Row>,
    width: Option<u16>,
}

struct Row {
    cells: Vec<String>,
    /// What has no room.
    rest: Vec<String>,
}

impl Columns {
    /// Of rows with these heads. Where they are wider than the terminal, those of the dispensable ones
    /// are left out, one after the other, until they are not.
    pub(crate) fn fit(
        heads: &[&'static str],
        dispensable: &[&'static str],
        rows: Vec<Vec<String>>,
        width: Option<u16>,
    ) -> Self {
        let widths: Vec<usize> = (0..heads.len())
            .map(|column| {
                let cells = rows.iter().map(|row| &*row[column]).chain([heads[column]]);
                cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
            })
            .collect();
        let mut shown = vec![true; heads.len()];
        let needed = |shown: &[bool]| -> usize {
            let there = widths.iter().zip(shown).filter(|(_, shown)| **shown);
            there.map(|(width, _)| width + usize::from(GAP)).sum()
        };
        for head in dispensable {
            if width.is_none_or(|width| needed(&shown) <= usize::from(width)) {
                break;
            }
            if let Some(column) = heads.iter().position(|it| it == head) {
                shown[column] = false;
            }
        }
        let row = |cells: Vec<String>| {
            let mut row = Row { cells: Vec::new(), rest: Vec::new() };
            for ((cell, head), shown) in cells.into_iter().zip(heads).zip(&shown) {
                if *shown {
                    row.cells.push(cell);
                } else if cell != NOTHING {
                    row.rest.push(format!("{} {cell}", head.to_lowercase()));
                }
            }
            row
        };
        let rows = rows.into_iter().map(row).collect();
        let heads = heads.iter().zip(&shown).filter(|(_, shown)| **shown).map(|(head, _)| *head);
        Self { heads: heads.collect(), rows, width }
    }

    /// The table, with what `remarks` writes below each row.
    pub(crate) fn text(
        &self,
        remarks: impl Fn(usize, &mut String) -> fmt::Result,
    ) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let sections = self.sections();
        let mut sections = sections.iter();
        for line in sections.next().into_iter().flatten() {
            writeln!(text, "{BOLD}{line}{BOLD:#}")?;
        }
        for (place, (lines, row)) in sections.zip(&self.rows).enumerate() {
            for line in lines {
                writeln!(text, "{line}")?;
            }
            if !row.rest.is_empty() {
                remark("", DIM, &row.rest.join(", "), self.width, &mut text)?;
            }
            remarks(place, &mut text)?;
        }
        Ok(text)
    }

    /// The lines of the head, and of each row.
    fn sections(&self) -> Vec<Vec<String>> {
        let mut table = Table::new();
        table.load_style(STYLE);
        table.set_header(&self.heads);
        for row in &self.rows {
            table.add_row(&row.cells);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        if let Some(width) = self.width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        let lines: Vec<String> = table.lines().collect();
        let sections = lines.split(|line| line.starts_with(BETWEEN));
        let trimmed = |line: &String| line.trim_end().to_owned();
        sections.map(|section| section.iter().map(trimmed).collect()).collect()
    }
}

/// A line below a row, or as many as it takes, which may have what others have written.
pub(crate) fn remark(
    head: &str,
    style: Style,
    what: &str,
    width: Option<u16>,
    text: &mut String,
) -> fmt::Result {
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    let what = plain(what);
    table.add_row([if head.is_empty() { what } else { format!("{head} {what}") }]);
    for column in table.column_iter_mut() {
        column.set_padding((GAP, 0));
    }
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let lines = table.trim_fmt();
    if head.is_empty() {
        return writeln!(text, "{style}{lines}{style:#}");
    }
    let styled = format!("{style}{head}{style:#}");
    writeln!(text, "{}", lines.replacen(head, &styled, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: Option<u16>) -> String {
        let rows = vec![vec!["one".into(), "much too long to be shown".into(), "x".into()]];
        let columns = Columns::fit(&["NAME", "WHAT", "MORE"], &["MORE", "WHAT"], rows, width);
        let text = columns.text(|_, text| remark("said:", BOLD, "a\u{1b}", width, text)).unwrap();
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn what_has_no_room_is_said_below() {
        let all = "NAME  WHAT                       MORE\n\
                   one   much too long to be shown  x\n  said: a\\u{1b}\n";
        assert_eq!(shown(None), all);
        assert_eq!(shown(Some(80)), all);
        assert_eq!(
            shown(Some(34)),
            "NAME  WHAT\none   much too long to be shown\n  more x\n  said: a\\u{1b}\n"
        );
        assert_eq!(
            shown(Some(30)),
            "NAME\none\n  what much too long to be\n  shown, more x\n  said: a\\u{1b}\n"
        );
    }
}
