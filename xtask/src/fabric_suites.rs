//! `cargo xtask fabric-suites`: Fabric's own integration suites, with Selvedge as their builder.
//!
//! The suites are those of Fabric's module, in which two things are set aside: the builder at
//! `integration/externalbuilders/binary/bin`, where each network of the suites has it, and the client
//! of Docker (`integration/nwo/network.go`, `New`).

mod list;
mod token;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use testbed::copy::copy;
use testbed::{Launcher, LauncherSpec, Release, Scratch, dist_dir, fabric_source};

use xtask::steps::Steps;

use list::{Peers, SUITES, Suite};
use token::Token;

/// Runs specs of Fabric's own integration suites, with Selvedge in the place of their builder.
#[derive(Debug, Args)]
#[command(
    after_help = "Needs Go, jq, for two of the suites a C compiler, and the binaries of `cargo \
                        xtask dist`. The list of specs, and why others are left out, is in \
                        docs/fabric-suites.md."
)]
pub(crate) struct FabricSuites {
    /// The suites to run, such as `e2e` [default: all of the list]
    suites: Vec<String>,
    /// Of these the specs whose names match, whether they are on the list or not
    #[arg(long, value_name = "REGEX", requires = "suites")]
    focus: Option<String>,
}

/// How a network begins, and how it begins without Docker.
const WITH_DOCKER: &str = "\tnetwork := &Network{\n";
const WITHOUT_DOCKER: &str = "\tdockerClient = nil\n\tnetwork := &Network{\n";

/// How one is made in Docker for a network, and how none is.
const DOCKER_NETWORK: &str = "func (n *Network) CreateDockerNetwork() {\n";
const NO_DOCKER_NETWORK: &str =
    "func (n *Network) CreateDockerNetwork() {\n\tif n.DockerClient == nil {\n\t\treturn\n\t}\n";

/// The builder's four executables.
const EXECUTABLES: [&str; 4] = ["detect", "build", "release", "run"];

/// Where the suites look for them.
const BUILDER: &str = "integration/externalbuilders/binary/bin";

impl FabricSuites {
    pub(crate) fn run(&self) -> Result<()> {
        for name in &self.suites {
            let names: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
            let known = names.contains(&name.as_str());
            ensure!(known, "no suite of the list is called {name}: there are {}", names.join(", "));
        }
        let mut steps = Steps::begin();
        let scratch = Scratch::create()?;
        let fabric = scratch.dir().join("fabric");
        steps.take("Fabric's source", |_| {
            let source = fabric_source::directory(Release::V3_1_1)?;
            Ok(copy(&source, &fabric)?)
        })?;
        let launcher = steps.take("launcher", |_| {
            Ok(Launcher::start(&LauncherSpec::new(dist_dir().join("bin/selvedge-launcher")))?)
        })?;
        set_docker_aside(&fabric)?;
        put_selvedge_in_place(&fabric, &dist_dir(), &launcher.address())?;
        let wanted = |suite: &&Suite| {
            self.suites.is_empty() || self.suites.iter().any(|it| it == suite.name)
        };
        // Each of them, whatever became of the one before.
        let failed: Vec<_> = SUITES
            .iter()
            .filter(wanted)
            .filter(|suite| {
                let run = || run(suite, self.focus.as_deref(), &fabric);
                steps.take_aloud(suite.name, run).is_err()
            })
            .map(|suite| suite.name)
            .collect();
        steps.print_table();
        ensure!(failed.is_empty(), "specs failed of {}", failed.join(", "));
        Ok(())
    }
}

/// Runs a suite's specs of the list, or those that are in focus.
fn run(suite: &Suite, focus: Option<&str>, fabric: &Path) -> Result<()> {
    let mut command = Command::new("go");
    command
        .args(["test", "-v", "-count=1", "-timeout=2h", &format!("./integration/{}", suite.name)])
        // Names that fit no spec are no success.
        .args(["-ginkgo.fail-on-empty", "-ginkgo.timeout=2h"]);
    match focus {
        Some(focus) => drop(command.args(["-ginkgo.focus", focus])),
        None if suite.without.is_empty() => {}
        None => drop(command.args(["-ginkgo.skip", &suite.without.join("|")])),
    }
    // As the testbed's own programs are built: most is in Go's cache by then.
    let with_c = match suite.peers {
        Peers::Pure => "0",
        Peers::WithC | Peers::WithToken => "1",
    };
    command.env("CGO_ENABLED", with_c).env("GOFLAGS", "-trimpath").env("GOWORK", "off");
    let _token = match suite.peers {
        Peers::Pure | Peers::WithC => None,
        Peers::WithToken => Some(Token::make(&mut command)?),
    };
    let status = command.current_dir(fabric).status().context("cannot run go")?;
    ensure!(status.success(), "specs of {} failed", suite.name);
    Ok(())
}

/// Has networks do without Docker, as those do for which the suites themselves say so.
fn set_docker_aside(fabric: &Path) -> Result<()> {
    let path = fabric.join("integration/nwo/network.go");
    let source =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut without = source;
    for (with, instead) in [(WITH_DOCKER, WITHOUT_DOCKER), (DOCKER_NETWORK, NO_DOCKER_NETWORK)] {
        ensure!(without.contains(with), "{} makes its networks otherwise", path.display());
        without = without.replace(with, instead);
    }
    fs::write(&path, without).with_context(|| format!("cannot write {}", path.display()))
}

/// Puts programs in the place of the suites' builder that call Selvedge's with what its peers cannot
/// pass on, since the suites say which variables those propagate. What their own `run` says to a
/// spec that looks for left-over files, it says as well.
fn put_selvedge_in_place(fabric: &Path, dist: &Path, launcher: &str) -> Result<()> {
    for name in EXECUTABLES {
        let path = fabric.join(BUILDER).join(name);
        let program = dist.join("bin").join(name);
        let programs = std::env::temp_dir();
        let script = format!(
            "#!/bin/sh\nexport SELVEDGE_LAUNCHER='{launcher}' SELVEDGE_PROGRAMS='{}'\n{}\
             exec '{}' \"$@\"\n",
            programs.display(),
            if name == "run" {
                "if [ -n \"${RUN_ARTIFACTS_FILE+1}\" ]; then echo \"$2\" >> \
                 \"$RUN_ARTIFACTS_FILE\"; fi\n"
            } else {
                ""
            },
            program.display()
        );
        fs::write(&path, script).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("cannot make {} executable", path.display()))?;
    }
    Ok(())
}
