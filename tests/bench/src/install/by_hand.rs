//! What a person would type to build a chaincode: the commands that Selvedge runs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::round::Beside;
use super::sample::Sample;

/// Has Maven not tell of each of the hundreds of files that it downloads.
const QUIET: &str =
    "-Dorg.slf4j.simpleLogger.log.org.apache.maven.cli.transfer.Slf4jMavenTransferListener=warn";

/// A person whose caches are below `home`.
pub(super) struct ByHand {
    home: PathBuf,
}

impl ByHand {
    pub(super) fn with(home: &Path) -> Result<Self> {
        std::fs::create_dir_all(home).with_context(|| format!("cannot make {}", home.display()))?;
        Ok(Self { home: home.to_owned() })
    }
}

impl Beside for ByHand {
    fn build(&self, sample: Sample, source: &Path) -> Result<Duration> {
        let began = Instant::now();
        for words in commands(sample) {
            run(words, source, &self.home)?;
        }
        Ok(began.elapsed())
    }
}

fn commands(sample: Sample) -> &'static [&'static [&'static str]] {
    match sample {
        Sample::Golang => {
            &[&["go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", "chaincode"]]
        }
        Sample::Javascript => &[&["npm", "ci", "--omit=dev"]],
        Sample::Typescript => &[
            &["npm", "ci", "--include=dev"],
            &["npm", "run", "build"],
            &["npm", "prune", "--omit=dev"],
        ],
        Sample::Java => &[&[
            "mvn",
            "--batch-mode",
            QUIET,
            "compile",
            "package",
            "-DskipTests",
            "-Dmaven.test.skip=true",
        ]],
    }
}

fn run(words: &[&str], directory: &Path, home: &Path) -> Result<()> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(directory).env("HOME", home);
    // Go's caches go where HOME is, whatever the caller has.
    for variable in ["GOPATH", "GOCACHE", "GOMODCACHE", "XDG_CACHE_HOME"] {
        command.env_remove(variable);
    }
    command.env("GOFLAGS", "-modcacherw").env("CGO_ENABLED", "0");
    // A JVM asks the machine's list of users for a home.
    command.env("MAVEN_OPTS", format!("-Duser.home={}", home.display()));
    command.env("npm_config_audit", "false").env("npm_config_fund", "false");
    let output = command.output().with_context(|| format!("cannot run {}", words[0]))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{}` failed:\n{said}", words.join(" "));
    Ok(())
}
