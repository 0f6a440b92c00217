//! `cargo xtask profile`: records which ways messages take through the launcher.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use testbed::dist::workspace_dir;

use crate::bench;
use xtask::cargo::{output, run};
use xtask::dist;
use xtask::profile;
use xtask::steps::Steps;

/// Records the traffic that the release launcher is compiled for.
#[derive(Debug, Args)]
#[command(after_help = "To be done after a new compiler, a new version of a library that the \
                        proxy uses, or larger changes of the proxy. Takes some minutes, and needs \
                        `rustup component add llvm-tools`.")]
pub(crate) struct Profile {}

/// The crates that a message passes through. Of the others no profile is kept: how a launcher
/// starts, or makes an image, says little of what to do in a hurry.
const CRATES: &str =
    "--function=selvedge_proxy|h2|rustls|ring|tokio|bytes|http|futures|atomic_waker|fnv|slab";

/// The load: every kind of it, briefly. How often, and not how long, is what counts.
const LOAD: [&str; 5] = ["proxy", "--rounds", "1", "--seconds", "1"];

pub(crate) fn record() -> Result<()> {
    let merge = llvm_profdata()?;
    let place = workspace_dir().join("target/profile");
    let counts = place.join("counts");
    // What an earlier version has counted is of other functions.
    if counts.exists() {
        fs::remove_dir_all(&counts)
            .with_context(|| format!("cannot empty {}", counts.display()))?;
    }
    let mut steps = Steps::begin();
    let dist = place.join("dist");
    steps.take_aloud("build a Selvedge that counts", || {
        let flags = [format!("-Cprofile-generate={}", counts.display())];
        dist::place_all(
            &dist::compile(&place.join("build"), dist::Profile::Release, &flags)?,
            &dist,
        )
    })?;
    // What it measures is of no use: to count takes time.
    steps
        .take_aloud("let it work", || run(bench::bench(&dist)?.args(LOAD).stdout(Stdio::null())))?;
    steps.take_aloud("write the profile", || {
        let mut merge = Command::new(&merge);
        run(merge.args(["merge", "--sparse", CRATES, "-o"]).arg(profile::path()).arg(&counts))
    })?;
    println!("{}", profile::path().display());
    Ok(())
}

/// The compiler's own tool for its profiles.
fn llvm_profdata() -> Result<PathBuf> {
    let sysroot =
        output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(workspace_dir()))?;
    let host = dist::host()?;
    let tool = Path::new(sysroot.trim()).join(format!("lib/rustlib/{host}/bin/llvm-profdata"));
    if !tool.exists() {
        bail!("{} is missing: `rustup component add llvm-tools` brings it", tool.display());
    }
    Ok(tool)
}
