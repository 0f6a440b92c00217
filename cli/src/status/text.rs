//! A launcher's status for people: a table, with what is to be said of a chaincode below its row.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::time::SystemTime;

use super::report::{Chaincode, Launcher, Reason, Report, Transactions};
use crate::columns::{Columns, remark};
use crate::screen::{BAD, BOLD, DOUBTFUL, plain, shortened};

const HEADS: [&str; 13] = [
    "CHAINCODE",
    "MSP",
    "MODE",
    "STATE",
    "SINCE",
    "REPLICAS",
    "IN FLIGHT",
    "CALLS",
    "ERRORS",
    "REPLAYS",
    "NODE",
    "WHERE",
    "IMAGE",
];

/// What a narrow terminal does without, the first one first.
const DISPENSABLE: [&str; 8] =
    ["IMAGE", "WHERE", "MSP", "MODE", "NODE", "REPLAYS", "IN FLIGHT", "SINCE"];

/// What a cell has in which there is nothing to say.
const NOTHING: &str = "-";

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
    let rows = report.chaincodes.iter().map(|chaincode| row(chaincode, now, width.is_some()));
    let columns = Columns::fit(&HEADS, &DISPENSABLE, rows.collect(), width);
    let remarks =
        |place: usize, text: &mut String| remarks(&report.chaincodes[place], now, width, text);
    text.push_str(&columns.text(remarks)?);
    Ok(text)
}

fn launcher(launcher: &Launcher, text: &mut String) -> fmt::Result {
    let Launcher { version, backend, peer, closed, file_refused, unconfined } = launcher;
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
    for lack in unconfined {
        writeln!(
            text,
            "{DOUBTFUL}not confined as far as it could be:{DOUBTFUL:#} {}",
            plain(lack)
        )?;
    }
    Ok(())
}

fn row(chaincode: &Chaincode, now: SystemTime, is_short: bool) -> Vec<String> {
    let shown = |text: &str| plain(if is_short { shortened(text) } else { text });
    let place = match (&chaincode.namespace, &chaincode.deployment, chaincode.replicas_wanted) {
        (Some(namespace), Some(deployment), _) => format!("{namespace}/{deployment}"),
        (_, _, Some(_)) => "this machine".to_owned(),
        (_, _, None) => NOTHING.to_owned(),
    };
    let registered = chaincode.replicas_registered;
    let replicas = match (chaincode.replicas_wanted, chaincode.function_processes) {
        (None, _) => NOTHING.to_owned(),
        (Some(wanted), None) => format!("{registered}/{wanted}"),
        // What is not there is no fault.
        (Some(_), Some(most)) => format!("{registered}, up to {most}"),
    };
    let Transactions { in_flight, begun, failed, run_again, .. } = &chaincode.transactions;
    let number = |number: Option<u64>| {
        number.map_or_else(|| NOTHING.to_owned(), |number| number.to_string())
    };
    let started = chaincode.replicas_wanted;
    vec![
        shown(&chaincode.package_id),
        organisation(chaincode),
        chaincode.mode.unwrap_or(NOTHING).to_owned(),
        chaincode.state.to_owned(),
        chaincode.since.ago(now),
        replicas,
        number(started.map(|_| u64::from(*in_flight))),
        number(*begun),
        number(*failed),
        number(started.map(|_| *run_again)),
        nodes(chaincode),
        plain(&place),
        chaincode.image.as_deref().map_or_else(|| NOTHING.to_owned(), shown),
    ]
}

/// Whose it is; of a launcher apart, which of the organisation's peers'.
fn organisation(chaincode: &Chaincode) -> String {
    match &chaincode.peer {
        Some(peer) => format!("{}, {}", plain(&chaincode.msp_id), plain(peer)),
        None => plain(&chaincode.msp_id),
    }
}

/// Where its replicas are.
fn nodes(chaincode: &Chaincode) -> String {
    let nodes: BTreeSet<&str> =
        chaincode.replicas.iter().filter_map(|replica| replica.node.as_deref()).collect();
    if nodes.is_empty() {
        return NOTHING.to_owned();
    }
    nodes.into_iter().map(plain).collect::<Vec<_>>().join(", ")
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
    if let Some(Reason { text: error, since }) = &chaincode.last_error {
        let head = format!("{} ago:", since.ago(now));
        remark(&head, BOLD, &format!("a call failed: {error}"), width, text)?;
    }
    for Reason { text: reason, since } in &chaincode.reasons {
        remark(&format!("{} ago:", since.ago(now)), BOLD, reason, width, text)?;
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

#[cfg(test)]
mod tests;
