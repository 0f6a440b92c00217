//! How a Node chaincode's dependencies come into its package.

use std::path::Path;

use super::manager::{Manager, Step};
use super::plan::{DEPENDENCIES, PINNED};
use super::project::{NodeError, NodeProject};
use crate::recipe::{Toolchain, Vendoring};

/// What npm is told besides: a package holds no links.
const NO_LINKS: &str = "--no-bin-links";

impl NodeProject {
    /// What installs the dependencies in a copy of the project in `code`: all of them where something
    /// is to be built with them.
    pub(super) fn vendoring(
        &self,
        code: &Path,
        toolchain: &Toolchain,
    ) -> Result<Option<Vendoring>, NodeError> {
        if self.packed.is_some() {
            return Ok(None);
        }
        if !matches!(self.manager, Manager::Npm | Manager::NpmLocked) {
            return Err(NodeError::VendoredBy(self.manager.program()));
        }
        if let Some(linked) = &self.linked {
            return Err(NodeError::Linked(linked.clone()));
        }
        let step = if self.is_built() { Step::InstallAll } else { Step::Install };
        let program = self.manager.program();
        let arguments = [self.manager.arguments(step), &[NO_LINKS]].concat();
        let typed = format!("{program} {}", arguments.join(" "));
        let arguments = arguments.into_iter().map(Into::into).collect();
        let commands = vec![toolchain.command(program, arguments, PINNED, code)];
        let (from, to) = (code.join(DEPENDENCIES), "src/node_modules/");
        Ok(Some(Vendoring { typed, commands, from, to, tidy: |_| Ok(()) }))
    }
}
