//! `bench proxy`: what the shim proxy costs, in loads taken in turn.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use e2e::Op;

use crate::arena::{Arena, Contender};
use crate::found::{Found, Kind, Measure, Round, Row, Work};
use crate::machine::Machine;
use crate::report;
use crate::stall;

/// The same Go chaincode on the same peer, directly and through the proxy.
#[derive(Debug, Args)]
#[command(after_help = "evaluate is one key read, submit is one write. A proxied load stands \
                        between two direct ones: by what these differ is noise, and what the \
                        proxy costs is told beside it. A load of evaluate is cut into eight, \
                        since the speed of a machine changes within seconds.")]
pub(crate) struct Options {
    /// How often each load is run
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long a load takes, about: all of a round make as many calls
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    seconds: f64,
    /// How many calls a load makes, instead of --seconds
    #[arg(long, value_name = "CALLS", conflicts_with = "seconds",
          value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Only these kinds of load
    #[arg(long, value_enum, default_values_t = [Kind::Evaluate, Kind::Submit])]
    kind: Vec<Kind>,
    /// How many clients call at once
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    clients: Vec<u64>,
    /// How many chaincodes die, for what their neighbour suffers of it
    #[arg(long, default_value_t = 3)]
    stalls: u32,
    /// Prints JSON instead of tables
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    eprintln!("raising the network");
    let mut arena = Arena::raise()?;
    let mut rows = Vec::new();
    for &kind in &options.kind {
        for &clients in &options.clients {
            let count = options.count.map_or_else(
                || calls_in(&mut arena, kind, clients, Duration::from_secs_f64(options.seconds)),
                Ok,
            )?;
            let count = (count / kind.slices()).max(clients);
            rows.push(Row { kind, clients, count, rounds: Vec::new() });
        }
    }
    for number in 1..=options.rounds {
        eprintln!("round {number} of {}", options.rounds);
        for row in &mut rows {
            for _ in 0..row.kind.slices() {
                let round = round(&mut arena, row)?;
                row.rounds.push(round);
            }
        }
    }
    // Before others are deployed, whose proxies have threads as well.
    let launcher_threads = arena.launcher.threads();
    let mut stalls = Vec::new();
    for number in 1..=options.stalls {
        eprintln!("stall {number} of {}", options.stalls);
        stalls.push(stall::measure(&mut arena, number)?);
    }
    let found = Found { rows, stalls, launcher_threads };
    if options.json {
        report::print_json(&found)
    } else {
        report::print_tables(&found);
        Ok(())
    }
}

/// Warms up, and says how many calls take so long.
fn calls_in(arena: &mut Arena, kind: Kind, clients: u64, time: Duration) -> Result<u64> {
    let mut rate = 0f64;
    for contender in [&mut arena.direct, &mut arena.proxied] {
        rate = rate.max(load(contender, kind, clients, clients * 8)?.per_second);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let calls = (rate * time.as_secs_f64()) as u64;
    Ok(calls.max(clients))
}

fn round(arena: &mut Arena, row: &Row) -> Result<Round> {
    let direct = measure(arena, row, |arena| &mut arena.direct)?;
    let proxied = measure(arena, row, |arena| &mut arena.proxied)?;
    Ok(Round { direct: [direct, measure(arena, row, |arena| &mut arena.direct)?], proxied })
}

fn measure(
    arena: &mut Arena,
    row: &Row,
    contender: fn(&mut Arena) -> &mut Contender,
) -> Result<Measure> {
    let used = |arena: &mut Arena| {
        let chaincode = contender(arena).process.usage();
        [arena.peer.usage(), chaincode, arena.launcher.usage()]
    };
    let (before, machine) = (used(arena), Machine::now());
    let report = load(contender(arena), row.kind, row.clients, row.count)?;
    let (after, machine) = (used(arena), Machine::now().since(machine));
    // Each client calls once to warm up, which is work as well.
    let calls = row.count + row.clients;
    Ok(Measure {
        latency: report.latency_us.median,
        throughput: report.per_second,
        peer: Work::per_call(after[0].since(&before[0]), calls),
        chaincode: Work::per_call(after[1].since(&before[1]), calls),
        launcher: Work::per_call(after[2].since(&before[2]), calls),
        machine,
    })
}

fn load(
    contender: &mut Contender,
    kind: Kind,
    clients: u64,
    count: u64,
) -> Result<e2e::LoadReport> {
    let (op, arguments): (_, &[&str]) = match kind {
        Kind::Evaluate => (Op::Evaluate, &["Get", "k"]),
        Kind::Submit => (Op::Submit, &["Put", "key-%d", "v"]),
    };
    let report = contender.gateway.load(op, clients, count, arguments);
    ensure!(report.failed == 0, "{} calls failed: {:?}", report.failed, report.errors);
    Ok(report)
}
