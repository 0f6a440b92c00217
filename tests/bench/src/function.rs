//! `bench function`: what a call takes for which a process has to be started (`execution: function`),
//! beside the same call of a process that is there, and of one that is kept ahead.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use e2e::{Gateway, Op, Stage, StageSpec, chaincode_dir, processes_of};
use serde_json::{Value, json};
use testbed::process::wait_until;
use testbed::{Definition, Release};

use crate::spread::Spread;

/// How long processes may take to come and go between two calls.
const BETWEEN: Duration = Duration::from_secs(30);

/// Calls that start their process.
#[derive(Debug, Args)]
#[command(
    after_help = "Each call is an evaluate of one client, by a process that answers no other \
                        in the two ways of function mode. The three ways take turns, so that what \
                        the machine does besides falls on all of them."
)]
pub(crate) struct Options {
    /// Calls of each way, for each language
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    calls: u32,
    /// Only these languages
    #[arg(long, value_enum, default_values_t = Language::value_variants().to_vec())]
    language: Vec<Language>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    Golang,
    Javascript,
    Java,
}

/// How a chaincode is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// One process that is there.
    Service,
    /// One for each call.
    Cold,
    /// The same, started before the call.
    Ahead,
}

/// A chaincode of one language, executed in one way.
struct Subject {
    way: Way,
    package_id: String,
    gateway: Gateway,
    times: Vec<Duration>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let overrides: Vec<Value> = Way::value_variants().iter().map(|way| way.settings()).collect();
    let settings = vec![("overrides", json!(overrides))];
    let stage = Stage::raise(&StageSpec { settings, ..StageSpec::new(Release::V3_1_1) });
    println!("\n{:<12}{:<10}{:>24}  ms, median (least–most) of {}", "", "", "", options.calls);
    for &language in &options.language {
        let mut subjects = Vec::new();
        for &way in Way::value_variants() {
            eprintln!("deploying {} as {}", language.name(), way.name());
            subjects.push(Subject::deploy(&stage, language, way)?);
        }
        for _ in 0..options.calls {
            for subject in &mut subjects {
                subject.call(&stage)?;
            }
        }
        for Subject { way, times, .. } in &subjects {
            let spread = Spread::of(times.iter().map(|time| time.as_secs_f64() * 1e3));
            let Spread { median, min, max } = spread;
            println!(
                "{:<12}{:<10}{:>24}",
                language.name(),
                way.name(),
                format!("{median:.1} ({min:.1}–{max:.1})")
            );
        }
    }
    Ok(())
}

impl Subject {
    fn deploy(stage: &Stage, language: Language, way: Way) -> Result<Self> {
        let name = format!("{}-{}", way.name(), language.name());
        let package_id =
            stage.deploy(&chaincode_dir(language.directory()), &Definition::new(&name));
        let gateway = stage.gateway(&name);
        let mut subject = Self { way, package_id, gateway, times: Vec::new() };
        // The first call waits until the peer has launched it.
        subject.call(stage)?;
        subject.times.clear();
        Ok(subject)
    }

    /// Calls it once, when all that is left of the call before is gone.
    fn call(&mut self, stage: &Stage) -> Result<()> {
        let (mark, begun) = (stage.launcher.log().mark(), Instant::now());
        let pid = self.gateway.call(Op::Evaluate, &["Pid"]).map_err(anyhow::Error::msg)?;
        self.times.push(begun.elapsed());
        let is_at_rest = || {
            let there = processes_of(stage, &self.package_id);
            let is_gone = self.way == Way::Service
                || there.iter().all(|process| process.id().to_string() != pid);
            is_gone && there.len() == self.way.at_rest()
        };
        ensure!(wait_until(BETWEEN, is_at_rest), "{}: no rest after a call", self.package_id);
        if self.way == Way::Ahead {
            // The one that takes its place has been started by the call.
            let told = "replica is ready";
            let is_its = |line: &str| line.contains(told) && line.contains(&self.package_id);
            stage.launcher.log().wait_for(mark, told, BETWEEN, is_its)?;
        }
        Ok(())
    }
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Cold => "cold",
            Self::Ahead => "ahead",
        }
    }

    /// How many processes there are between calls.
    fn at_rest(self) -> usize {
        match self {
            Self::Service | Self::Ahead => 1,
            Self::Cold => 0,
        }
    }

    fn settings(self) -> Value {
        let chaincode = match self {
            Self::Service => json!({}),
            Self::Cold => {
                json!({ "execution": "function", "function": { "callsPerProcess": 1, "wait": "10s" } })
            }
            Self::Ahead => json!({
                "execution": "function",
                "function": { "callsPerProcess": 1, "ahead": 1, "maxReplicas": 2 },
            }),
        };
        json!({ "match": { "label": format!("{}-*", self.name()) }, "chaincode": chaincode })
    }
}

impl Language {
    fn name(self) -> &'static str {
        match self {
            Self::Golang => "golang",
            Self::Javascript => "javascript",
            Self::Java => "java",
        }
    }

    fn directory(self) -> &'static str {
        match self {
            Self::Golang => "ledger",
            Self::Javascript => "javascript",
            Self::Java => "java",
        }
    }
}
