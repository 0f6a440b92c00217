//! `cargo xtask test`: the whole test command, for a person and for CI.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use testbed::debian::install_missing;
use testbed::dist::workspace_dir;

use xtask::cargo::{cargo, output, run};
use xtask::dist;
use xtask::steps::Steps;

/// Runs every check: format, lints, unit tests, release binaries, end to end.
#[derive(Debug, Args)]
#[command(after_help = "Stops at the first step that fails. Needs Rust and Go; other languages' \
                        tools are installed where they are missing (Debian, root). Fabric and \
                        Kubernetes are built from Go modules into the user's cache, once. The \
                        cluster's tests need root, and install Debian packages.")]
pub(crate) struct Test {}

/// The Go modules that must build, vet and pass their tests (those that must not are the
/// end-to-end suites' bad input).
const GO_MODULES: [&str; 4] =
    ["tests/gateway", "tests/chaincode/ledger", "tests/chaincode/broken", "tests/chaincode/server"];

/// The packages whose tests run a real peer or a real Kubernetes.
const REAL: [&str; 3] = ["e2e", "cluster", "fabric-on-kubernetes"];

/// The tests there that run a real peer.
const END_TO_END: [&str; 1] = ["suites"];

/// Those that run a real Kubernetes.
const IN_A_CLUSTER: [&str; 3] = ["kubernetes", "traces", "fabric"];

/// How many of these run at once: they wait for the cluster more than they compute.
const AT_ONCE: &str = "3";

pub(crate) fn test() -> Result<()> {
    let mut steps = Steps::begin();
    let result = take_steps(&mut steps);
    steps.print_table();
    result
}

fn take_steps(steps: &mut Steps) -> Result<()> {
    steps.take("tools", obtain_tools)?;
    steps.take_aloud("format", || run(&mut cargo(&["fmt", "--all", "--check"])))?;
    steps.take_aloud("lints", || {
        run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    steps.take("Go programs", |report| {
        GO_MODULES.iter().try_for_each(|module| {
            report(module);
            check_go(module)
        })
    })?;
    steps.take_aloud("unit tests", || {
        let but_real = REAL.iter().flat_map(|package| ["--exclude", package]);
        run(cargo(&ALL).args(["--lib", "--bins"]))?;
        run(cargo(&ALL).args(["--test", "*"]).args(but_real))?;
        run(cargo(&ALL).arg("--doc"))
    })?;
    let dist = steps.take_aloud("release binaries", dist::build)?;
    steps.take_aloud("the launcher's profile", dist::check_profile)?;
    steps.take_aloud("end to end", || run(tests(&END_TO_END).env("SELVEDGE_DIST", &dist)))?;
    // Last: from nothing, it builds Kubernetes.
    steps.take_aloud("in a cluster", || {
        let mut tests = tests(&IN_A_CLUSTER);
        run(tests.env("SELVEDGE_DIST", &dist).env("RUST_TEST_THREADS", AT_ONCE))
    })
}

/// Always the whole workspace: of fewer packages, cargo compiles their dependencies anew with fewer
/// features.
const ALL: [&str; 2] = ["test", "--workspace"];

fn tests(names: &[&str]) -> Command {
    let mut tests = cargo(&ALL);
    tests.args(names.iter().flat_map(|name| ["--test", name]));
    tests
}

/// What neither cargo nor go brings along: programs, and Debian's packages with them.
const TOOLS: [(&str, &[&str]); 5] = [
    ("gcc", &["gcc", "libc6-dev"]),
    ("npm", &["nodejs", "npm"]),
    ("javac", &["default-jdk-headless"]),
    ("mvn", &["maven"]),
    ("gradle", &["gradle"]),
];

/// Installs what is missing, as root on Debian.
fn obtain_tools(report: &mut dyn FnMut(&str)) -> Result<()> {
    ensure!(runs("go", "version"), "`go` is not on the PATH (https://go.dev/doc/install)");
    for (program, packages) in TOOLS {
        if !runs(program, "--version") {
            install_missing(packages, report).with_context(|| {
                format!("`{program}` is not on the PATH (Debian: {})", packages.join(" "))
            })?;
        }
    }
    Ok(())
}

fn runs(program: &str, argument: &str) -> bool {
    Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success())
}

fn check_go(module: &str) -> Result<()> {
    let dir = workspace_dir().join(module);
    let go = |program: &str, arguments: &[&str]| {
        output(Command::new(program).args(arguments).current_dir(&dir)).context(module.to_owned())
    };
    let unformatted = go("gofmt", &["-l", "."])?;
    if !unformatted.is_empty() {
        bail!("{module}: not as gofmt writes it:\n{unformatted}");
    }
    go("go", &["vet", "./..."])?;
    go("go", &["test", "./..."])?;
    Ok(())
}
