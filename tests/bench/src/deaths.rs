//! `bench deaths`: what becomes of calls and of the peer when chaincode is killed under load,
//! directly and behind the proxy.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::Args;
use e2e::{RangeReader, Toll};
use testbed::{PeerSpec, Release};

use crate::arena::Ground;

/// A killed process is started again at once if it had run for this long
/// (`launcher/src/local/supervise.rs`), and the first one after it half a second later.
const RECOVERED: Duration = Duration::from_secs(21);

/// How often a process is killed in one load: with a third death in a row, the launcher lets
/// nothing wait for it.
const KILLS: u64 = 2;

/// Processes killed under load of long range loops, every answer compared with the ledger.
#[derive(Debug, Args)]
#[command(
    after_help = "Each call reads 2,000 keys and must return their number and digest. A load \
                        has its chaincode killed twice; loads go round several chaincodes. Fails \
                        when a proxied call returned anything else, failed without the reason, or \
                        a peer crashed meanwhile. Direct chaincode is there to compare with."
)]
pub(crate) struct Options {
    /// Calls in all, for each release and each way
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    calls: u64,
    /// Calls of one load
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u64).range(1..))]
    load: u64,
    /// How many clients call at once
    #[arg(long, default_value_t = 16)]
    clients: u64,
    /// How many chaincodes take turns
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    chaincodes: u64,
    /// Only these releases
    #[arg(long, default_values_t = Release::ALL)]
    release: Vec<Release>,
    /// Only these ways
    #[arg(long, value_enum, default_values_t = [Way::Direct, Way::Proxied])]
    way: Vec<Way>,
}

/// How chaincode is linked to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Way {
    Direct,
    Proxied,
}

/// What one way came to on one release.
struct Row {
    release: Release,
    way: Way,
    toll: Toll,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut rows = Vec::new();
    for &release in &options.release {
        eprintln!("raising a network of {release}");
        let ground = Ground::raise(release, PeerSpec::work_side_by_side)?;
        // Its program is what direct chaincode runs.
        ground.contender("first")?;
        for &way in &options.way {
            let toll = tally(options, &ground, way)?;
            rows.push(Row { release, way, toll });
        }
    }
    print_table(&rows);
    if let Some(row) = rows.iter().find(|row| row.way == Way::Proxied && !row.toll.is_clean()) {
        bail!("{} {}: see the table", row.release, row.way.name());
    }
    Ok(())
}

fn tally(options: &Options, ground: &Ground, way: Way) -> Result<Toll> {
    ensure!(options.clients >= 1, "there must be a client");
    let mut readers = Vec::new();
    for number in 0..options.chaincodes {
        let contender = ground.contender(&format!("{}{number}", way.name()))?;
        readers.push((RangeReader::prepare(ground.peer(), contender.gateway), None::<Instant>));
    }
    let mut toll = Toll::default();
    while toll.calls < options.calls {
        for (reader, killed) in &mut readers {
            let count = options.load.min(options.calls - toll.calls);
            if count == 0 {
                break;
            }
            if let Some(killed) = killed {
                std::thread::sleep(RECOVERED.saturating_sub(killed.elapsed()));
            }
            toll.add(reader.read_under_fire(options.clients, count, KILLS));
            *killed = Some(Instant::now());
            eprintln!("{} of {}: {}", toll.calls, options.calls, way.name());
        }
    }
    Ok(toll)
}

fn print_table(rows: &[Row]) {
    println!(
        "\n{:<16}  {:>7}  {:>7}  {:>7}  {:>7}  {:>7}  {:>7}  {:>7}  {:>7}",
        "", "calls", "right", "wrong", "died", "no peer", "other", "kills", "crashes"
    );
    for Row { release, way, toll } in rows {
        let title = format!("{release}, {}", way.name());
        let others: u64 = toll.others.iter().map(|failure| failure.count).sum();
        println!(
            "{title:<16}  {:>7}  {:>7}  {:>7}  {:>7}  {:>7}  {:>7}  {:>7}  {:>7}",
            toll.calls,
            toll.right,
            toll.wrong,
            toll.died,
            toll.peerless,
            others - toll.wrong,
            toll.kills,
            toll.crashes
        );
    }
    for Row { release, way, toll } in rows {
        for failure in &toll.others {
            println!("{release}, {}: {} × {}", way.name(), failure.count, failure.error);
        }
        for panic in &toll.panics {
            println!("{release}, {}: the peer ended: {panic}", way.name());
        }
    }
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Proxied => "proxied",
        }
    }
}
