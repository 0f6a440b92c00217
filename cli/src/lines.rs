//! Lines of a log, as they are shown.

use std::fmt::Write as _;

use selvedge_proto::launcher::{LogLine, LogLines};
use serde::Serialize;

use crate::moment::to_the_millisecond;
use crate::resolved::LineForm;
use crate::screen::{DIM, plain, plain_json};

/// Instead of a tab, which no cursor is to jump by.
const TAB: &str = "    ";

/// What `--json` prints of a line.
#[derive(Serialize)]
pub(crate) struct Told<'a> {
    at: String,
    /// Null if the launcher says it, or if it is a build's.
    replica: Option<&'a str>,
    text: &'a str,
}

impl<'a> Told<'a> {
    pub(crate) fn of(line: &'a LogLine) -> Self {
        let replica = Some(&*line.replica).filter(|name| !name.is_empty());
        Self { at: to_the_millisecond(line.at), replica, text: &line.text }
    }
}

/// Lines for a terminal or a file, with those before that are missing.
pub(crate) fn shown(lines: &LogLines, form: LineForm) -> anyhow::Result<String> {
    let mut text = String::new();
    if lines.missed > 0 && form == LineForm::Told {
        writeln!(text, "{DIM}({} lines before are not kept any more){DIM:#}", lines.missed)?;
    }
    for line in &lines.lines {
        match form {
            LineForm::Told => {
                let (at, replica) = (to_the_millisecond(line.at), plain(&line.replica));
                let space = if replica.is_empty() { "" } else { " " };
                writeln!(text, "{DIM}{at}{space}{replica}{DIM:#} {}", plain_line(&line.text))?;
            }
            LineForm::Bare => writeln!(text, "{}", plain_line(&line.text))?,
            LineForm::Json => {
                let json = serde_json::to_string(&Told::of(line))?;
                writeln!(text, "{}", plain_json(&json))?;
            }
        }
    }
    Ok(text)
}

/// A line that somebody else has written.
pub(crate) fn plain_line(line: &str) -> String {
    line.split('\t').map(plain).collect::<Vec<_>>().join(TAB)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(form: LineForm) -> String {
        let line = |replica: &str, text: &str| LogLine {
            at: 1_764_000_000_123,
            replica: replica.into(),
            text: text.into(),
        };
        let lines = vec![line("replica-0", "\tat \u{1b}[2Jmain"), line("", "it ended")];
        let text = shown(&LogLines { lines, missed: 3 }, form).unwrap();
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn a_line_has_its_time_and_its_replica_and_moves_no_cursor() {
        assert_eq!(
            told(LineForm::Told),
            "(3 lines before are not kept any more)\n\
             2025-11-24T16:00:00.123Z replica-0     at \\u{1b}[2Jmain\n\
             2025-11-24T16:00:00.123Z it ended\n"
        );
        assert_eq!(told(LineForm::Bare), "    at \\u{1b}[2Jmain\nit ended\n");
        assert_eq!(
            told(LineForm::Json),
            "{\"at\":\"2025-11-24T16:00:00.123Z\",\"replica\":\"replica-0\",\
             \"text\":\"\\tat \\u001b[2Jmain\"}\n\
             {\"at\":\"2025-11-24T16:00:00.123Z\",\"replica\":null,\"text\":\"it ended\"}\n"
        );
    }
}
