//! What the benchmark of the proxy found, as tables and as JSON.

use anyhow::Result;
use serde::Serialize;

use crate::aim::{self, Aim};
use crate::figures::{Compared, Effort, Figures, Shares, Stalled};
use crate::found::Found;
use crate::spread::Spread;

/// The whole report as JSON. Latencies and CPU times are in microseconds, throughput in calls
/// per second; a ratio is proxied over direct, and its spread is that of the rounds.
#[derive(Serialize)]
struct Report {
    rows: Vec<Figures>,
    /// While one call waits for a replica: of the neighbour, and of the caller.
    stalls: Vec<Stalled>,
    launcher_threads: usize,
    aims: Vec<Aim>,
}

pub(crate) fn print_json(found: &Found) -> Result<()> {
    let report = Report::of(found);
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

pub(crate) fn print_tables(found: &Found) {
    let Report { rows, stalls, launcher_threads, aims } = Report::of(found);
    println!("\nMedians (least–most) of all loads. proxied/direct tells what the proxy costs,");
    println!("direct/direct how far two loads differ that are alike; ± is what that leaves open.");
    print_compared("latency, ms", &rows, 2, 0.001, |row| &row.latency);
    print_compared("throughput, calls/s", &rows, 0, 1.0, |row| &row.throughput);
    print_efforts("CPU, µs/call", &rows, 0, |effort| &effort.cpu);
    print_efforts("sleeps/call", &rows, 2, |effort| &effort.sleeps);
    println!("\nThe launcher has {launcher_threads} threads.");
    print_stalls(&stalls);
    aim::print(&aims);
}

fn print_compared(
    title: &str,
    rows: &[Figures],
    decimals: usize,
    factor: f64,
    pick: impl Fn(&Figures) -> &Compared,
) {
    println!(
        "\n{title:<22}{:>22}{:>22}{:>22}  {:>7}{:>22}",
        "direct", "proxied", "proxied/direct", "±", "direct/direct"
    );
    for row in rows {
        let Compared { direct, proxied, ratio, same, uncertainty } = pick(row);
        let [direct, proxied] =
            [direct, proxied].map(|spread| cell(spread.scaled(factor), decimals));
        let [ratio, same] = [ratio, same].map(|spread| cell(*spread, 3));
        println!(
            "{:<22}{direct:>22}{proxied:>22}{ratio:>22}  {uncertainty:>7.3}{same:>22}",
            row.title()
        );
    }
}

fn print_efforts(
    title: &str,
    rows: &[Figures],
    decimals: usize,
    pick: impl Fn(&Effort) -> &Shares,
) {
    println!(
        "\n{title:<22}{:<10}{:>10}{:>11}{:>10}{:>10}{:>18}{:>18}",
        "", "peer", "chaincode", "launcher", "together", "processors busy", "taken by a host"
    );
    for row in rows {
        for (path, effort) in [("direct", &row.direct), ("proxied", &row.proxied)] {
            let title = if path == "direct" { row.title() } else { String::new() };
            let Shares { peer, chaincode, launcher, together } = pick(effort);
            let [peer, chaincode, launcher, together] = [peer, chaincode, launcher, together]
                .map(|spread| format!("{:.decimals$}", spread.median));
            let [busy, stolen] =
                [effort.busy, effort.stolen].map(|part| format!("{:.0} %", part.median * 100.0));
            println!(
                "{title:<22}{path:<10}{peer:>10}{chaincode:>11}{launcher:>10}{together:>10}\
                 {busy:>18}{stolen:>18}"
            );
        }
    }
}

fn print_stalls(stalls: &[Stalled]) {
    if stalls.is_empty() {
        return;
    }
    println!(
        "\n{:<44}{:>22}{:>22}{:>24}",
        "longest answer, ms", "neighbour's evaluate", "neighbour's submit", "who called the victim"
    );
    for Stalled { what, evaluate, submit, caller } in stalls {
        let [evaluate, submit, caller] =
            [evaluate, submit, caller].map(|spread| cell(spread.scaled(0.001), 0));
        println!("{what:<44}{evaluate:>22}{submit:>22}{caller:>24}");
    }
}

fn cell(Spread { median, min, max }: Spread, decimals: usize) -> String {
    format!("{median:.decimals$} ({min:.decimals$}–{max:.decimals$})")
}

impl Report {
    fn of(found: &Found) -> Self {
        let rows: Vec<Figures> = found.rows.iter().map(Figures::of).collect();
        let aims = aim::of(&rows);
        let stalls = Stalled::of(&found.stalls);
        Self { rows, stalls, launcher_threads: found.launcher_threads, aims }
    }
}
