//! `bench function`: what a call takes for which a process has to be started (`execution: function`),
//! beside the same call of a process that is there, and of one that is kept ahead.

mod here;
mod in_cluster;
mod place;
mod way;

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use clap::{Args, ValueEnum};
use e2e::{Gateway, Op, chaincode_dir};
use testbed::process::wait_until;

use self::here::Here;
use self::in_cluster::InCluster;
use self::place::Place;
use self::way::{HERE, IN_CLUSTER, Language, Way};
use crate::spread::Spread;

/// How long processes may take to come and go between two calls.
const BETWEEN: Duration = Duration::from_mins(2);

/// How often a call is made again that waited in vain.
const ATTEMPTS: u32 = 5;

/// Calls that start their process.
#[derive(Debug, Args)]
#[command(
    after_help = "Each call is an evaluate of one client, by a process that answers no other \
                        in the ways of function mode. The ways take turns, so that what the machine \
                        does besides falls on all of them."
)]
pub(crate) struct Options {
    /// Calls of each way, for each language
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    calls: u32,
    /// Only these languages
    #[arg(long, value_enum, default_values_t = Language::value_variants().to_vec())]
    language: Vec<Language>,
    /// In a cluster, where there may be no pod either
    #[arg(long)]
    kubernetes: bool,
}

/// A chaincode of one language, executed in one way.
struct Subject<'a> {
    way: Way,
    place: &'a dyn Place,
    package_id: String,
    gateway: Gateway,
    times: Vec<Duration>,
    /// Calls that waited in vain.
    failed: u32,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let (place, ways): (Box<dyn Place>, &[Way]) = if options.kubernetes {
        (Box::new(InCluster::raise()?), &IN_CLUSTER)
    } else {
        (Box::new(Here::raise()), &HERE)
    };
    println!("\n{:<12}{:<10}{:>24}  ms, median (least–most) of {}", "", "", "", options.calls);
    for &language in &options.language {
        let mut subjects = Vec::new();
        for &way in ways {
            eprintln!("deploying {} as {}", language.name(), way.name());
            subjects.push(Subject::deploy(place.as_ref(), language, way)?);
        }
        for _ in 0..options.calls {
            for subject in &mut subjects {
                subject.call()?;
            }
        }
        for Subject { way, times, failed, package_id, .. } in &subjects {
            ensure!(!times.is_empty(), "{package_id}: all calls have failed");
            let spread = Spread::of(times.iter().map(|time| time.as_secs_f64() * 1e3));
            let Spread { median, min, max } = spread;
            let told = format!("{median:.1} ({min:.1}–{max:.1})");
            let failed = if *failed > 0 { format!("  {failed} failed") } else { String::new() };
            println!("{:<12}{:<10}{told:>24}{failed}", language.name(), way.name());
        }
    }
    Ok(())
}

impl<'a> Subject<'a> {
    fn deploy(place: &'a dyn Place, language: Language, way: Way) -> Result<Self> {
        let name = format!("{}-{}", way.name(), language.name());
        let package_id = place.deploy(&chaincode_dir(language.directory()), &name)?;
        let gateway = place.gateway(&name);
        let mut subject = Self { way, place, package_id, gateway, times: Vec::new(), failed: 0 };
        // The first call waits until the peer has launched it.
        subject.call()?;
        (subject.times, subject.failed) = (Vec::new(), 0);
        Ok(subject)
    }

    /// Calls it once, and waits until all that is left of the call is gone. One that waited in vain is
    /// made again, until what it waited for is there.
    fn call(&mut self) -> Result<()> {
        let before = self.place.processes(&self.package_id)?;
        let begun = Instant::now();
        let Err(mut failure) = self.gateway.call(Op::Evaluate, &["Pid"]) else {
            self.times.push(begun.elapsed());
            return self.await_rest(&before);
        };
        self.failed += 1;
        for _ in 0..ATTEMPTS {
            match self.gateway.call(Op::Evaluate, &["Pid"]) {
                Ok(_) => return self.await_rest(&[]),
                Err(error) => failure = error,
            }
        }
        Err(anyhow!("{} does not answer: {failure}", self.package_id))
    }

    fn await_rest(&self, before: &[i32]) -> Result<()> {
        let mut seen = Ok(false);
        let is_over = || {
            seen = self.is_at_rest(before);
            !matches!(seen, Ok(false))
        };
        ensure!(wait_until(BETWEEN, is_over), "{}: no rest after a call", self.package_id);
        seen.map(drop)
    }

    fn is_at_rest(&self, before: &[i32]) -> Result<bool> {
        let there = self.place.processes(&self.package_id)?;
        let is_gone = !self.way.is_once() || there.iter().all(|one| !before.contains(one));
        Ok(there.len() == self.way.at_rest()
            && is_gone
            && usize::try_from(self.place.registered(&self.package_id)?)? == there.len()
            && self.place.is_settled(&self.package_id, self.way == Way::Podless)?)
    }
}
