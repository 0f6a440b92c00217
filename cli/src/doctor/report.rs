//! All that was found, as it is shown.

use std::fmt::{self, Write as _};

use anstyle::Style;
use serde::Serialize;

use super::finding::{Finding, Verdict};
use crate::screen::{BAD, BOLD, DOUBTFUL, GOOD, plain};

/// What `--json` prints. Keys may be added to it, and none changes.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether everything works.
    pub(super) healthy: bool,
    findings: Vec<Finding>,
}

impl Report {
    pub(super) fn of(findings: Vec<Finding>) -> Self {
        let healthy = findings.iter().all(|finding| finding.verdict != Verdict::Bad);
        Self { healthy, findings }
    }

    /// A line for each, with the way out below it, and one for all.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        for Finding { about, verdict, said, way_out } in &self.findings {
            let (style, word) = sign(*verdict);
            writeln!(text, "{style}{word:<8}{style:#}  {}: {}", plain(about), plain(said))?;
            if let Some(way_out) = way_out {
                writeln!(text, "          {}", plain(way_out))?;
            }
        }
        let of = |verdict| self.findings.iter().filter(|found| found.verdict == verdict).count();
        let (bad, doubtful) = (of(Verdict::Bad), of(Verdict::Doubtful));
        let told = match (bad, doubtful) {
            (0, 0) => "nothing is wrong".to_owned(),
            (0, doubtful) => format!("everything works; doubtful: {doubtful}"),
            (bad, doubtful) => format!("does not work: {bad}; doubtful: {doubtful}"),
        };
        writeln!(text, "{BOLD}{told}{BOLD:#}")?;
        Ok(text)
    }
}

fn sign(verdict: Verdict) -> (Style, &'static str) {
    match verdict {
        Verdict::Good => (GOOD, "good"),
        Verdict::Doubtful => (DOUBTFUL, "doubtful"),
        Verdict::Bad => (BAD, "bad"),
        Verdict::Unseen => (Style::new(), "unseen"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_and_the_way_out_below() {
        let findings = vec![
            Finding::good("clock", "it agrees"),
            Finding::bad("socket", "no\u{1b}[2J launcher", "start it"),
            Finding::unseen("policies", "nobody tells", ""),
        ];
        let report = Report::of(findings);
        assert!(!report.healthy);
        let text = anstream::adapter::strip_str(&report.text().unwrap()).to_string();
        let expected = "good      clock: it agrees\n\
                        bad       socket: no\\u{1b}[2J launcher\n          start it\n\
                        unseen    policies: nobody tells\n\
                        does not work: 1; doubtful: 0\n";
        assert_eq!(text, expected);
        let fine = Report::of(vec![Finding::doubtful("disk", "little", "make room")]);
        assert!(fine.healthy && fine.text().unwrap().contains("everything works; doubtful: 1"));
    }
}
