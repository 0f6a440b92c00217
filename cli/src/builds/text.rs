//! Builds for people.

use std::fmt::{self, Write as _};
use std::time::SystemTime;

use super::report::Build;
use crate::columns::{Columns, remark};
use crate::moment::span;
use crate::screen::{BAD, BOLD, plain, shortened};

/// All of them, a row each; those that have failed with the reason below.
pub(super) fn table(
    builds: &[Build],
    now: SystemTime,
    width: Option<u16>,
) -> Result<String, fmt::Error> {
    if builds.is_empty() {
        return Ok("this launcher has built nothing yet\n".to_owned());
    }
    let rows = builds.iter().map(|build| row(build, now, width.is_some()));
    let heads = ["ID", "LABEL", "TYPE", "STATE", "BEGUN", "TOOK", "KEY", "IMAGE"];
    let columns = Columns::fit(&heads, &["IMAGE", "TYPE", "KEY"], rows.collect(), width);
    columns.text(|place, text| match &builds[place].reason {
        Some(reason) => remark("failed:", BAD, reason, width, text),
        None => Ok(()),
    })
}

fn row(build: &Build, now: SystemTime, is_short: bool) -> Vec<String> {
    let shown = |text: &Option<String>| match text {
        Some(text) if is_short => plain(shortened(text)),
        Some(text) => plain(text),
        None => "-".to_owned(),
    };
    let took = build.ended.map_or_else(|| build.begun.before(now), |end| end.after(build.begun));
    vec![
        build.id.to_string(),
        plain(&build.label),
        plain(&build.r#type),
        build.state.to_owned(),
        format!("{} ago", build.begun.ago(now)),
        span(took),
        shown(&build.key),
        shown(&build.image),
    ]
}

/// What is known of one, before its lines.
pub(super) fn head(build: &Build) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let Build { id, label, r#type, path, .. } = build;
    writeln!(text, "{BOLD}build {id}{BOLD:#} of {} ({})", plain(label), plain(r#type))?;
    if !path.is_empty() {
        writeln!(text, "path: {}", plain(path))?;
    }
    text.push_str(&tail(build)?);
    Ok(text)
}

/// How it stands.
pub(super) fn tail(build: &Build) -> Result<String, fmt::Error> {
    let mut text = String::new();
    write!(text, "state: {}", build.state)?;
    match build.ended {
        Some(ended) => writeln!(text, ", took {}", span(ended.after(build.begun)))?,
        None => writeln!(text)?,
    }
    let known = [
        ("peer", &build.peer),
        ("key", &build.key),
        ("image", &build.image),
        ("reason", &build.reason),
    ];
    for (name, what) in known {
        if let Some(what) = what {
            writeln!(text, "{name}: {}", plain(what))?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use selvedge_proto::launcher::{BuildState, BuildStatus, ChaincodeSource, ImageReference};

    use super::*;

    const NOW: i64 = 1_764_000_000;

    fn builds() -> Vec<Build> {
        let status = |id, state: BuildState| BuildStatus {
            id,
            source: Some(ChaincodeSource {
                r#type: "golang".into(),
                path: "example.org/basic".into(),
                label: "basic_1.0".into(),
            }),
            state: state.into(),
            begun: NOW - 120,
            ..BuildStatus::default()
        };
        let failed = BuildStatus {
            ended: NOW - 30,
            reason: "the chaincode does not compile: main.go:3: \u{1b}[2J".into(),
            ..status(2, BuildState::Failed)
        };
        let (name, digest) = ("chaincode".to_owned(), format!("sha256:{}", "ab".repeat(32)));
        let done = BuildStatus {
            ended: NOW - 110,
            key: "cd".repeat(32),
            image: Some(ImageReference { name, digest, command: None }),
            ..status(1, BuildState::Done)
        };
        [status(3, BuildState::Running), failed, done].map(Build::of).into()
    }

    fn shown(width: Option<u16>) -> String {
        let now = UNIX_EPOCH + Duration::from_secs(NOW.try_into().unwrap());
        let text = table(&builds(), now, width).unwrap();
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn a_row_each_and_why_one_failed() {
        let text = shown(None);
        let lines: Vec<String> = text
            .lines()
            .map(|line| {
                line.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect::<Vec<_>>()
            })
            .map(|cells| cells.join("|"))
            .collect();
        let image = format!("chaincode@sha256:{}", "ab".repeat(32));
        assert_eq!(
            lines,
            [
                "ID|LABEL|TYPE|STATE|BEGUN|TOOK|KEY|IMAGE".to_owned(),
                "3|basic_1.0|golang|running|2m ago|2m|-|-".to_owned(),
                "2|basic_1.0|golang|failed|2m ago|1m 30s|-|-".to_owned(),
                r"failed: the chaincode does not compile: main.go:3: \u{1b}[2J".to_owned(),
                format!("1|basic_1.0|golang|done|2m ago|10s|{}|{image}", "cd".repeat(32)),
            ],
            "{text}"
        );
    }

    #[test]
    fn it_fits_a_terminal() {
        for width in [50, 80, 120] {
            let text = shown(Some(width));
            assert!(text.lines().all(|line| line.chars().count() <= width.into()), "{text}");
        }
    }

    #[test]
    fn one_has_all_that_is_known_of_it() {
        let text = anstream::adapter::strip_str(&head(&builds()[2]).unwrap()).to_string();
        assert!(
            text.starts_with("build 1 of basic_1.0 (golang)\npath: example.org/basic\n"),
            "{text}"
        );
        assert!(text.contains("state: done, took 10s\nkey: cdcd"), "{text}");
    }
}
