//! A launcher's status for people: a table, with what is to be said of a chaincode below its row.

use std::fmt::{self, Write as _};
use std::time::{Duration, SystemTime};

use anstyle::Style;
use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};

use super::report::{Chaincode, Launcher, Moment, Reason, Report, Transactions};
use crate::screen::{BAD, BOLD, DOUBTFUL, plain};

/// What the table draws between rows, to be found again: no cell has it, as it is no character that
/// a terminal shows.
const BETWEEN: char = '\u{1}';

/// Rows without borders, told apart by a line that is never shown.
const STYLE: TableStyle = TableStyle::new()
    .header_separator(LineStyle::none().fill(BETWEEN))
    .row_separator(LineStyle::none().fill(BETWEEN));

/// How much of a digest tells it from all others that there are.
const SHORT: usize = 12;

/// The status; as wide as the terminal at most, elsewhere each row has one line and whole digests.
pub(super) fn text(
    report: &Report,
    now: SystemTime,
    width: Option<u16>,
) -> Result<String, fmt::Error> {
    let mut text = String::new();
    launcher(&report.launcher, &mut text)?;
    if report.chaincodes.is_empty() {
        writeln!(text, "no chaincode runs")?;
        return Ok(text);
    }
    let sections = sections(&report.chaincodes, now, width);
    let mut sections = sections.iter();
    for line in sections.next().into_iter().flatten() {
        writeln!(text, "{BOLD}{line}{BOLD:#}")?;
    }
    for (row, chaincode) in sections.zip(&report.chaincodes) {
        for line in row {
            writeln!(text, "{line}")?;
        }
        remarks(chaincode, now, width, &mut text)?;
    }
    Ok(text)
}

fn launcher(launcher: &Launcher, text: &mut String) -> fmt::Result {
    let Launcher { version, backend, peer, closed, file_refused } = launcher;
    write!(text, "launcher {}, backend {}", plain(version), plain(backend))?;
    match peer {
        Some(peer) => writeln!(text, ", peer {}", plain(peer))?,
        None => writeln!(text)?,
    }
    if let Some(reason) = closed {
        writeln!(text, "{BAD}not ready:{BAD:#} {}", plain(reason))?;
    }
    if let Some(reason) = file_refused {
        let mut lines = reason.lines().map(plain);
        let first = lines.next().unwrap_or_default();
        let refused = "the operator's file is refused, what was in force stays:";
        writeln!(text, "{DOUBTFUL}{refused}{DOUBTFUL:#} {first}")?;
        lines.try_for_each(|line| writeln!(text, "  {line}"))?;
    }
    Ok(())
}

/// The lines of the head, and of each chaincode's row.
fn sections(chaincodes: &[Chaincode], now: SystemTime, width: Option<u16>) -> Vec<Vec<String>> {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(["CHAINCODE", "MSP", "STATE", "SINCE", "REPLICAS", "WHERE", "IMAGE"]);
    for chaincode in chaincodes {
        table.add_row(row(chaincode, now, width.is_some()));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let lines: Vec<String> = table.lines().collect();
    let sections = lines.split(|line| line.starts_with(BETWEEN));
    let trimmed = |line: &String| line.trim_end().to_owned();
    sections.map(|section| section.iter().map(trimmed).collect()).collect()
}

fn row(chaincode: &Chaincode, now: SystemTime, is_short: bool) -> [String; 7] {
    let shown = |text: &str| plain(if is_short { shortened(text) } else { text });
    let place = match (&chaincode.namespace, &chaincode.deployment, chaincode.replicas_wanted) {
        (Some(namespace), Some(deployment), _) => format!("{namespace}/{deployment}"),
        (_, _, Some(_)) => "this machine".to_owned(),
        (_, _, None) => "-".to_owned(),
    };
    let registered = chaincode.replicas_registered;
    let replicas = match (chaincode.replicas_wanted, chaincode.function_processes) {
        (None, _) => "-".to_owned(),
        (Some(wanted), None) => format!("{registered}/{wanted}"),
        // What is not there is no fault.
        (Some(_), Some(most)) => format!("{registered}, up to {most}"),
    };
    [
        shown(&chaincode.package_id),
        plain(&chaincode.msp_id),
        chaincode.state.to_owned(),
        ago(chaincode.since, now),
        replicas,
        plain(&place),
        chaincode.image.as_deref().map_or_else(|| "-".to_owned(), shown),
    ]
}

/// A line, or as many as it takes, for what is lifted and for each reason.
fn remarks(
    chaincode: &Chaincode,
    now: SystemTime,
    width: Option<u16>,
    text: &mut String,
) -> fmt::Result {
    if !chaincode.lifted.is_empty() {
        remark("lifted by `allow`:", DOUBTFUL, &chaincode.lifted.join(", "), width, text)?;
    }
    if let Some(fates) = fates(&chaincode.transactions) {
        remark("as replicas ended:", BOLD, &fates, width, text)?;
    }
    for Reason { text: reason, since } in &chaincode.reasons {
        remark(&format!("{} ago:", ago(*since, now)), BOLD, reason, width, text)?;
    }
    Ok(())
}

/// What became of transactions whose replicas ended, if there were any.
fn fates(transactions: &Transactions) -> Option<String> {
    let Transactions { run_again, answered, differed, .. } = *transactions;
    let fates = [
        (run_again, "run again"),
        (answered, "answered with an error"),
        (differed, "run again and different"),
    ];
    let there = fates.into_iter().filter(|(number, _)| *number > 0);
    let words: Vec<String> = there.map(|(number, fate)| format!("{number} {fate}")).collect();
    (!words.is_empty()).then(|| format!("transactions {}", words.join(", ")))
}

fn remark(
    head: &str,
    style: Style,
    what: &str,
    width: Option<u16>,
    text: &mut String,
) -> fmt::Result {
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table.add_row([format!("{head} {}", plain(what))]);
    for column in table.column_iter_mut() {
        column.set_padding((2, 0));
    }
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let styled = format!("{style}{head}{style:#}");
    writeln!(text, "{}", table.trim_fmt().replacen(head, &styled, 1))
}

/// Up to two units, of which the smaller one is cut.
fn ago(since: Moment, now: SystemTime) -> String {
    let seconds = since.before(now).as_secs();
    let unit = match seconds {
        0..3_600 => 1,
        3_600..86_400 => 60,
        _ => 3_600,
    };
    humantime::format_duration(Duration::from_secs(seconds / unit * unit)).to_string()
}

/// A package ID or an image with a digest that is only as long as a person needs it.
fn shortened(text: &str) -> &str {
    let Some(colon) = text.rfind(':') else { return text };
    let end = text.len().min(colon + 1 + SHORT);
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use selvedge_proto::launcher::chaincode_status::Place;
    use selvedge_proto::launcher::{
        self as told, ChaincodeStatus, ImageReference, KubernetesPlace, LauncherStatus, LocalPlace,
        RunState, StatusResponse,
    };

    use super::*;

    const NOW: i64 = 1_764_000_000;

    fn launcher() -> LauncherStatus {
        LauncherStatus {
            version: "0.1.0".into(),
            backend: "kubernetes".into(),
            peer: "peer0".into(),
            ..LauncherStatus::default()
        }
    }

    fn basic() -> ChaincodeStatus {
        ChaincodeStatus {
            package_id: format!("basic_1.0:{}", "01".repeat(32)),
            msp_id: "Org1MSP".into(),
            peer_address: "127.0.0.1:7052".into(),
            image: Some(ImageReference {
                name: "registry/basic".into(),
                digest: format!("sha256:{}", "ab".repeat(32)),
                command: None,
            }),
            place: Some(Place::Kubernetes(KubernetesPlace {
                namespace: "org1".into(),
                deployment: "basic-1-0-0123".into(),
            })),
            replicas_wanted: 2,
            replicas_registered: 1,
            state: RunState::Changing.into(),
            state_since: NOW - 3_725,
            lifted: vec!["hostNetwork".into(), "shareProcessNamespace".into()],
            reasons: vec![told::Reason {
                text: "it ended: \u{1b}[2Jexit status: 3".into(),
                since: NOW - 65,
            }],
            transactions_run_again: 12,
            transactions_answered: 3,
            transactions_differed: 0,
            function_processes: 0,
            transactions_in_flight: 4,
        }
    }

    fn shown(launcher: LauncherStatus, of: &[ChaincodeStatus], width: Option<u16>) -> String {
        let answer = StatusResponse { launcher: Some(launcher), chaincodes: of.to_vec() };
        let now = UNIX_EPOCH + Duration::from_secs(NOW.try_into().unwrap());
        let text = text(&Report::of(answer), now, width).unwrap();
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn a_row_has_what_is_to_know_and_lines_below_it_the_rest() {
        let (bare, digest) = ("01".repeat(32), "ab".repeat(32));
        let next = ChaincodeStatus {
            package_id: "next:02".into(),
            state: RunState::Starting.into(),
            state_since: NOW,
            ..ChaincodeStatus::default()
        };
        let local = ChaincodeStatus {
            package_id: "small:03".into(),
            place: Some(Place::Local(LocalPlace {})),
            replicas_wanted: 1,
            replicas_registered: 1,
            state: RunState::Ready.into(),
            state_since: NOW - 200_000,
            ..ChaincodeStatus::default()
        };
        let function = ChaincodeStatus {
            package_id: "called:04".into(),
            function_processes: 4,
            replicas_registered: 0,
            replicas_wanted: 0,
            ..local.clone()
        };
        let text = shown(launcher(), &[basic(), next, local, function], None);
        let lines: Vec<String> = text
            .lines()
            .map(|line| {
                let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
                cells.collect::<Vec<_>>().join("|")
            })
            .collect();
        assert_eq!(
            lines,
            [
                "launcher 0.1.0, backend kubernetes, peer peer0",
                "CHAINCODE|MSP|STATE|SINCE|REPLICAS|WHERE|IMAGE",
                &format!(
                    "basic_1.0:{bare}|Org1MSP|changing|1h 2m|1/2|org1/basic-1-0-0123|\
                     registry/basic@sha256:{digest}"
                ),
                "lifted by `allow`: hostNetwork, shareProcessNamespace",
                "as replicas ended: transactions 12 run again, 3 answered with an error",
                r"1m 5s ago: it ended: \u{1b}[2Jexit status: 3",
                "next:02|starting|0s|-|-|-",
                "small:03|ready|2days 7h|1/1|this machine|-",
                "called:04|ready|2days 7h|0, up to 4|this machine|-",
            ],
            "{text}"
        );
    }

    #[test]
    fn it_fits_a_terminal() {
        for width in [60, 80, 120] {
            let text = shown(launcher(), &[basic(), basic()], Some(width));
            for line in text.lines() {
                assert!(line.chars().count() <= width.into(), "{width}:\n{text}");
            }
            let joined: String = text.split_whitespace().collect();
            assert!(joined.contains("shareProcessNamespace"), "{text}");
            assert!(!joined.contains(&"01".repeat(32)), "{text}");
        }
    }

    #[test]
    fn a_launcher_says_what_is_wrong_with_it() {
        let starting = LauncherStatus {
            peer: String::new(),
            closed: "the launcher is starting".into(),
            file_refused: "it is not right:\n3:13: chaincode.replcas: unknown key".into(),
            ..launcher()
        };
        assert_eq!(
            shown(starting, &[], Some(80)),
            "launcher 0.1.0, backend kubernetes\n\
             not ready: the launcher is starting\n\
             the operator's file is refused, what was in force stays: it is not right:\n  \
             3:13: chaincode.replcas: unknown key\n\
             no chaincode runs\n"
        );
    }

    #[test]
    fn json_keeps_its_shape() {
        let answer = StatusResponse { launcher: Some(launcher()), chaincodes: vec![basic()] };
        let text = serde_json::to_string_pretty(&Report::of(answer)).unwrap() + "\n";
        golden::golden_text("tests/golden/status.json", &text);
    }
}
