//! The network's one orderer.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::binaries::Binaries;
use crate::cli::{self, CliError};
use crate::log::Log;
use crate::material::{Address, NodeMaterial};
use crate::process::{Server, ServerCommand, ServerError};
use crate::scratch::ScratchDir;
use crate::topology::Topology;

const START_LIMIT: Duration = Duration::from_mins(1);
const LEADER_LIMIT: Duration = Duration::from_secs(30);
const JOIN_LIMIT: Duration = Duration::from_secs(30);

/// A running orderer.
#[derive(Debug)]
pub struct Orderer {
    log: Log,
    server: Mutex<Server>,
}

/// What the orderer is started and spoken to with.
#[derive(Clone, Debug)]
pub(crate) struct OrdererFacts {
    pub(crate) binaries: Binaries,
    pub(crate) scratch: ScratchDir,
    /// Holds orderer.yaml.
    pub(crate) home: PathBuf,
    pub(crate) admin: Address,
    pub(crate) material: NodeMaterial,
}

impl Orderer {
    /// Starts the process and waits until it serves.
    pub(crate) fn start(facts: &OrdererFacts, topology: &Topology) -> Result<Self, ServerError> {
        let mut server = Server::start(
            &facts.scratch,
            ServerCommand {
                name: "orderer".to_owned(),
                program: facts.binaries.program("orderer"),
                arguments: Vec::new(),
                environment: topology.server_environment(&facts.home),
                dir: facts.home.clone(),
                log: topology.orderer_log.path().to_owned(),
                grace: Duration::from_secs(5),
            },
        )?;
        server.await_line("Beginning to serve requests", START_LIMIT)?;
        Ok(Self { log: server.log().clone(), server: Mutex::new(server) })
    }

    /// Joins the channel whose genesis block is in `block` and waits until the orderer leads it.
    pub(crate) fn join(
        &self,
        facts: &OrdererFacts,
        channel: &str,
        block: &Path,
    ) -> Result<(), OrdererError> {
        let mut command = Command::new(facts.binaries.program("osnadmin"));
        command
            .args(["channel", "join", "--channelID", channel])
            .arg("--config-block")
            .arg(block)
            .args(["--orderer-address", &facts.admin.to_string()])
            .arg("--ca-file")
            .arg(facts.material.tls_ca())
            .arg("--client-cert")
            .arg(facts.material.tls_certificate())
            .arg("--client-key")
            .arg(facts.material.tls_key());
        let logs = [self.log.clone()];
        let output = cli::run(&mut command, Vec::new(), JOIN_LIMIT, &logs)?;
        // osnadmin exits with 0 whatever the orderer answered (cmd/osnadmin/main.go).
        if !output.stdout.contains("Status: 201") {
            return Err(OrdererError::Cli(CliError::Unexpected {
                command: "osnadmin channel join".to_owned(),
                output,
            }));
        }
        self.server().await_line("Start accepting requests as Raft leader", LEADER_LIMIT)?;
        Ok(())
    }

    /// Its log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its process ID.
    pub fn pid(&self) -> u32 {
        self.server().pid()
    }

    pub(crate) fn keep(&self) {
        self.server().keep();
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the orderer did not take up the channel.
#[derive(Debug, thiserror::Error)]
pub enum OrdererError {
    /// `osnadmin` failed.
    #[error(transparent)]
    Cli(#[from] CliError),
    /// The orderer did not become the channel's leader.
    #[error(transparent)]
    Server(#[from] ServerError),
}
