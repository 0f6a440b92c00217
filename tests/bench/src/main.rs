//! Benchmarks on a real peer. `cargo xtask bench` builds what they need and runs this.

mod aim;
mod arena;
mod deaths;
mod faults;
mod figures;
mod found;
mod function;
mod ground;
mod install;
mod machine;
mod proxy;
mod report;
mod spread;
mod stall;
mod usage;

use clap::{Parser, Subcommand};

/// Measures Selvedge on a real Fabric network.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Cli {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Debug, Subcommand)]
enum Benchmark {
    Proxy(proxy::Options),
    Deaths(deaths::Options),
    Faults(faults::Options),
    Function(function::Options),
    Install(install::Options),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().benchmark {
        Benchmark::Proxy(options) => proxy::run(&options),
        Benchmark::Deaths(options) => deaths::run(&options),
        Benchmark::Faults(options) => faults::run(&options),
        Benchmark::Function(options) => function::run(&options),
        Benchmark::Install(options) => install::run(&options),
    }
}
