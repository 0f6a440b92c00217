//! A peer and a launcher on this machine.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use e2e::{Gateway, Process, Stage, StageSpec, processes_of};
use testbed::{Definition, Release, dist_dir};

use super::place::Place;
use super::way::{HERE, overrides};

/// The network.
pub(super) struct Here(Stage);

impl Here {
    pub(super) fn raise() -> Self {
        let settings = vec![("overrides", overrides(&HERE))];
        Self(Stage::raise(&StageSpec { settings, ..StageSpec::new(Release::V3_1_1) }))
    }
}

impl Place for Here {
    fn deploy(&self, source: &Path, name: &str) -> Result<String> {
        Ok(self.0.deploy(source, &Definition::new(name)))
    }

    fn gateway(&self, name: &str) -> Gateway {
        self.0.gateway(name)
    }

    fn processes(&self, package_id: &str) -> Result<Vec<i32>> {
        Ok(processes_of(&self.0, package_id).iter().map(Process::id).collect())
    }

    fn status(&self) -> Result<String> {
        let mut command = Command::new(dist_dir().join("bin/selvedge"));
        command.args(["status", "--json"]).env("SELVEDGE_LAUNCHER", self.0.launcher.address());
        let output = command.output().context("cannot run selvedge")?;
        Ok(String::from_utf8(output.stdout)?)
    }

    fn is_settled(&self, _: &str, _: bool) -> Result<bool> {
        Ok(true)
    }
}
