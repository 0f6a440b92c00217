//! `bench install`: what an install takes from source to image, beside the language's own tools by
//! hand.

mod by_hand;
mod here;
mod in_cluster;
mod round;
mod sample;

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use tempfile::TempDir;

use self::by_hand::ByHand;
use self::here::Here;
use self::in_cluster::InCluster;
use self::round::Times;
use self::sample::Sample;
use crate::ground::Ground;
use crate::spread::Spread;

/// From `peer lifecycle chaincode install` to its answer, beside the language's own tools by hand.
#[derive(Debug, Args)]
#[command(
    after_help = "cold: nothing is known, and dependencies are downloaded. cached: the same \
                        launcher builds another version of the code. known: the same code under \
                        another label. By hand are the commands that Selvedge runs, in a directory \
                        with a copy of the source, with caches of their own. What an install adds \
                        is the peer, its client, the source's way, the image's assembly. With \
                        --kubernetes another peer and its launcher, on this machine, install the \
                        same."
)]
pub(crate) struct Options {
    /// How often all of it is measured, each time from nothing
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// In a real Kubernetes on this machine (root needed), where a build is a Job, with a volume for
    /// dependencies and a registry
    #[arg(long)]
    kubernetes: bool,
    /// Only these chaincodes
    #[arg(long, value_enum, default_values_t = Sample::ALL)]
    sample: Vec<Sample>,
    /// Prints JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Who builds beside, and what an install may take more.
#[derive(Clone, Copy)]
struct Bound {
    beside: &'static str,
    seconds: f64,
    /// Of what they take.
    part: f64,
    /// With nothing known before, too.
    is_for_cold: bool,
}

/// On a machine.
const HERE: Bound = Bound { beside: "by hand", seconds: 1.0, part: 0.1, is_for_cold: true };

/// In a cluster, beside an install on this machine. To fetch is the network's matter.
const IN_CLUSTER: Bound =
    Bound { beside: "on this machine", seconds: 3.0, part: 0.0, is_for_cold: false };

/// What is known when the source comes.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Known {
    /// Nothing.
    Cold,
    /// The dependencies.
    Cached,
    /// The image.
    Image,
}

/// One row of the table. Times are in seconds.
#[derive(Serialize)]
struct Row {
    sample: Sample,
    known: Known,
    /// Nothing is done there for what is known.
    beside: Option<Spread>,
    install: Spread,
    /// What the install took more, in each round.
    added: Option<Spread>,
    within_bound: Option<bool>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let ground = options.kubernetes.then(Ground::raise).transpose()?;
    let mut all = Vec::new();
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        let here = Here::raise()?;
        all.extend(if let Some(ground) = &ground {
            round::measure(&InCluster::of_round(ground, round)?, &here, &options.sample)?
        } else {
            let home = TempDir::new().context("no temporary directory")?;
            round::measure(&here, &ByHand::with(home.path())?, &options.sample)?
        });
    }
    let bound = if ground.is_some() { IN_CLUSTER } else { HERE };
    let rows: Vec<Row> =
        options.sample.iter().flat_map(|sample| rows(*sample, &all, bound)).collect();
    if options.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        print_table(&rows, options.rounds, bound);
    }
    Ok(())
}

fn rows(sample: Sample, all: &[(Sample, Times)], bound: Bound) -> [Row; 3] {
    let times = |pick: fn(&Times) -> Duration| -> Vec<f64> {
        let of_sample = all.iter().filter(|(other, _)| *other == sample);
        of_sample.map(|(_, times)| pick(times).as_secs_f64()).collect()
    };
    let built = |known, beside: Vec<f64>, install: Vec<f64>| {
        let added = Spread::of(install.iter().zip(&beside).map(|(install, other)| install - other));
        let (beside, install) = (Spread::of(beside), Spread::of(install));
        let limit = bound.seconds + beside.median * bound.part;
        let is_bound = bound.is_for_cold || !matches!(known, Known::Cold);
        let within_bound = is_bound.then_some(added.median <= limit);
        Row { sample, known, beside: Some(beside), install, added: Some(added), within_bound }
    };
    [
        built(Known::Cold, times(|t| t.beside_cold), times(|t| t.cold)),
        built(Known::Cached, times(|t| t.beside_cached), times(|t| t.cached)),
        Row {
            sample,
            known: Known::Image,
            beside: None,
            install: Spread::of(times(|t| t.known)),
            added: None,
            within_bound: None,
        },
    ]
}

fn print_table(rows: &[Row], rounds: u32, bound: Bound) {
    let Bound { seconds, part, .. } = bound;
    let at_most = match part {
        0.0 => format!("at most {seconds} s"),
        part => format!("at most {seconds} s and {} %", part * 100.0),
    };
    println!("\nMedians of {rounds} rounds (least–most), in seconds");
    println!(
        "\n{:<14}{:<18}{:>20}{:>20}{:>20}  {:<24}",
        "chaincode", "known before", bound.beside, "install", "added", at_most
    );
    for Row { sample, known, beside, install, added, within_bound } in rows {
        let known = match known {
            Known::Cold => "nothing",
            Known::Cached => "dependencies",
            Known::Image => "image",
        };
        let verdict = within_bound.map_or("", |within| if within { "met" } else { "missed" });
        println!(
            "{:<14}{known:<18}{:>20}{:>20}{:>20}  {verdict:<24}",
            sample.to_string(),
            beside.map_or_else(|| "–".to_owned(), cell),
            cell(*install),
            added.map_or_else(|| "–".to_owned(), cell),
        );
    }
}

fn cell(Spread { median, min, max }: Spread) -> String {
    format!("{median:.2} ({min:.2}–{max:.2})")
}
