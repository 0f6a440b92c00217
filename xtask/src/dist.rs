//! `cargo xtask dist`: the release binaries, static and small, in `dist/bin`, and an archive of them.

mod archive;
mod sbom;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use object::elf::{DT_NEEDED, FileHeader64, PT_INTERP};
use object::endian::Endianness;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use testbed::dist::workspace_dir;

use crate::cargo::{cargo, output, run};
use crate::profile;
use crate::steps::Steps;

/// Builds the release binaries, checks that they are static and small, and packs an archive of them.
#[derive(Debug, Args)]
#[command(after_help = "dist is what a peer's core.yaml names as external builder:

  chaincode:
    externalBuilders:
      - name: selvedge
        path: <workspace>/dist
        propagateEnvironment: [SELVEDGE_LAUNCHER]

The archive has an install script, checksums and an SBOM (CycloneDX). The same commit makes the same
bytes wherever it is compiled, by the compiler that rust-toolchain.toml names.")]
pub struct Dist {
    /// What to build for, where that Rust target and a linker for it are installed; its binaries and
    /// archive are in dist/TRIPLE [default: this machine]
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
}

/// The peer forks the builders for every install and keeps one for every running chaincode. TLS towards
/// a launcher apart takes 1.3 MiB of it.
const BUILDER_LIMIT: u64 = 5 * MIB;

/// Every chaincode's pod has a copy.
const KEEPER_LIMIT: u64 = 2 * MIB;

const MIB: u64 = 1024 * 1024;

/// A binary as cargo names it, as it is called in `dist/bin`, and how large it may be.
struct Binary {
    built: &'static str,
    name: &'static str,
    limit: Option<u64>,
}

const fn builder(built: &'static str, name: &'static str) -> Binary {
    Binary { built, name, limit: Some(BUILDER_LIMIT) }
}

const fn unlimited(name: &'static str) -> Binary {
    Binary { built: name, name, limit: None }
}

/// The peer calls the builders by their bare names, of which cargo refuses `build`.
const BINARIES: [Binary; 7] = [
    builder("selvedge-detect", "detect"),
    builder("selvedge-build", "build"),
    builder("selvedge-release", "release"),
    builder("selvedge-run", "run"),
    Binary { built: KEEPER, name: KEEPER, limit: Some(KEEPER_LIMIT) },
    unlimited("selvedge-launcher"),
    unlimited("selvedge"),
];

const KEEPER: &str = "selvedge-keeper";

const PACKAGES: [&str; 4] = ["selvedge-builder", KEEPER, "selvedge-launcher", "selvedge"];

impl Dist {
    /// Makes the release binaries, says how large they are, and packs them.
    pub fn run(&self) -> Result<()> {
        let mut steps = Steps::begin();
        let host = host()?;
        let (triple, dist) = match &self.target {
            Some(triple) if *triple != host => (triple, dist_dir().join(triple)),
            _ => (&host, dist_dir()),
        };
        steps.take_aloud("build Selvedge", || build_into(&dist, triple))?;
        let archive = steps.take("pack it", |_| pack(&dist, triple))?;
        print_sizes(&dist)?;
        println!("{}", archive.display());
        Ok(())
    }
}

/// Builds everything for use on this machine, checks it, and returns the directory whose `bin/` holds
/// it.
pub fn build() -> Result<PathBuf> {
    let dist = dist_dir();
    build_into(&dist, &host()?)?;
    Ok(dist)
}

fn dist_dir() -> PathBuf {
    workspace_dir().join("dist")
}

fn build_into(dist: &Path, triple: &str) -> Result<()> {
    run(&mut compiler(&target(), Profile::Release, triple, &flags(triple)))?;
    let built = target().join(triple).join(Profile::Release.name());
    for binary in &BINARIES {
        check(&built.join(binary.built), binary)?;
    }
    place_all(&built, dist)
}

/// Packs what was built for a target into an archive of its own.
fn pack(dist: &Path, triple: &str) -> Result<PathBuf> {
    let version = env!("CARGO_PKG_VERSION");
    let architecture = triple.split('-').next().unwrap_or(triple);
    let name = format!("selvedge-{version}-linux-{architecture}");
    let programs = BINARIES.map(|binary| binary.name);
    archive::write(dist, &name, &programs, sbom::document(&PACKAGES, triple, version)?)
}

/// Builds everything to be looked at: static, too, but neither fast nor small. Returns the directory
/// whose `bin/` holds it.
pub fn build_for_demo() -> Result<PathBuf> {
    let target = workspace_dir().join("target/demo");
    let dist = target.join("dist");
    place_all(&compile(&target, Profile::Demo, &[])?, &dist)?;
    Ok(dist)
}

/// An error when the release launcher was not made for its traffic.
pub fn check_profile() -> Result<()> {
    let host = host()?;
    if !profile::is_for(&host) {
        return Ok(());
    }
    let mut command = compiler(&target(), Profile::Release, &host, &flags(&host));
    profile::check_fit(&output(command.arg("--message-format=json-render-diagnostics"))?)
}

/// How much the compiler does, by cargo's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// All that it can.
    Release,
    /// As little as it can: it takes a third of the time.
    Demo,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Demo => "demo",
        }
    }
}

/// Builds everything for this machine in `target` with these flags for the compiler; returns where it
/// is.
pub fn compile(target: &Path, profile: Profile, flags: &[String]) -> Result<PathBuf> {
    let host = host()?;
    run(&mut compiler(target, profile, &host, flags))?;
    Ok(target.join(host).join(profile.name()))
}

fn compiler(target: &Path, profile: Profile, triple: &str, flags: &[String]) -> Command {
    let mut command = cargo(&["build", "--locked", "--target", triple]);
    command.args(["--profile", profile.name()]).arg("--target-dir").arg(target);
    for package in PACKAGES {
        command.args(["--package", package]);
    }
    let mut all = vec!["-Ctarget-feature=+crt-static".to_owned()];
    all.extend_from_slice(flags);
    // `--target` keeps the flags from build scripts and proc macros, which cannot be static.
    // Encoded, as a path may contain spaces.
    command.env("CARGO_ENCODED_RUSTFLAGS", all.join("\u{1f}"));
    command
}

/// What the compiler is told for the binaries that are used.
fn flags(triple: &str) -> Vec<String> {
    let mut flags: Vec<String> = places().into_iter().collect();
    if profile::is_for(triple) {
        flags.extend(profile::flags());
    }
    flags
}

/// Keeps out of the binaries where they were compiled, which panics would name: the same source makes
/// the same bytes everywhere.
fn places() -> [String; 2] {
    let registry = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let registry = registry.unwrap_or_default();
    [(registry.as_path(), "cargo"), (workspace_dir(), "selvedge")]
        .map(|(place, name)| format!("--remap-path-prefix={}={name}", place.display()))
}

/// A directory of its own: other flags in the usual one would rebuild everything each time.
fn target() -> PathBuf {
    workspace_dir().join("target/dist")
}

/// Copies what was built to `dist/bin`, under the names that a peer calls.
pub fn place_all(built: &Path, dist: &Path) -> Result<()> {
    let bin = dist.join("bin");
    fs::create_dir_all(&bin).with_context(|| format!("cannot create {}", bin.display()))?;
    BINARIES.iter().try_for_each(|binary| place(&built.join(binary.built), &bin.join(binary.name)))
}

/// The triple that this toolchain builds for by itself.
pub fn host() -> Result<String> {
    let about = output(Command::new("rustc").arg("-vV").current_dir(workspace_dir()))?;
    about
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("`rustc -vV` names no host")
}

fn check(path: &Path, binary: &Binary) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    check_static(&bytes).with_context(|| format!("{} is not static", path.display()))?;
    let size = bytes.len() as u64;
    if let Some(limit) = binary.limit {
        ensure!(
            size <= limit,
            "{} is {} MiB large; the limit is {} MiB",
            binary.name,
            mebibytes(size),
            mebibytes(limit)
        );
    }
    Ok(())
}

/// An error when the executable needs a loader or a shared library.
fn check_static(bytes: &[u8]) -> Result<()> {
    let elf = FileHeader64::<Endianness>::parse(bytes)?;
    let endian = elf.endian()?;
    for header in elf.program_headers(endian, bytes)? {
        if header.p_type(endian) == PT_INTERP {
            bail!("it names a program interpreter");
        }
        // A static-pie executable has a dynamic section, for its own relocations.
        let entries = header.dynamic(endian, bytes)?.unwrap_or_default();
        if entries.iter().any(|entry| entry.d_tag(endian) == DT_NEEDED) {
            bail!("it needs a shared library");
        }
    }
    Ok(())
}

/// Copies by rename: the old file may be running.
fn place(from: &Path, to: &Path) -> Result<()> {
    let partial = to.with_extension("partial");
    fs::copy(from, &partial)
        .and_then(|_| fs::rename(&partial, to))
        .with_context(|| format!("cannot write {}", to.display()))
}

fn print_sizes(dist: &Path) -> Result<()> {
    println!();
    for binary in &BINARIES {
        let path = dist.join("bin").join(binary.name);
        let size = fs::metadata(&path)?.len();
        let limit = binary
            .limit
            .map(|limit| format!("  (at most {})", mebibytes(limit)))
            .unwrap_or_default();
        println!("{:20} {:>6} MiB, static{limit}", binary.name, mebibytes(size));
    }
    println!("{}", dist.display());
    Ok(())
}

/// To two decimals, rounded.
fn mebibytes(bytes: u64) -> String {
    let hundredths = (bytes * 100 + MIB / 2) / MIB;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_executable_is_found_to_be_dynamic() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        let error = check_static(&own).unwrap_err().to_string();
        assert_eq!(error, "it names a program interpreter");
    }

    #[test]
    fn a_binary_over_its_limit_is_refused_with_both_sizes() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("main.rs");
        fs::write(&source, "fn main() {}").unwrap();
        let path = dir.path().join("main");
        let mut rustc = Command::new("rustc");
        rustc.args(["-C", "target-feature=+crt-static", "-o"]).arg(&path).arg(&source);
        output(&mut rustc).unwrap();

        let limited = |limit| Binary { built: "main", name: "main", limit: Some(limit) };
        check(&path, &limited(100 * MIB)).unwrap();
        let error = check(&path, &limited(MIB / 2)).unwrap_err().to_string();
        assert!(error.contains("the limit is 0.50 MiB"), "{error}");
    }
}
