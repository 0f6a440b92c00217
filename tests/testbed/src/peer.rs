//! One organisation's peer: its process, and the lifecycle and calls through its CLI.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use crate::binaries::Binaries;
use crate::chaincode::{self, CallOptions, Definition, InstalledChaincode};
use crate::cli::{self, CliError, CliOutput};
use crate::log::Log;
use crate::material::{Address, Organisation, UserMaterial};
use crate::network::Topology;
use crate::process::{Server, ServerCommand, ServerError};
use crate::scratch::ScratchDir;

const START_LIMIT: Duration = Duration::from_mins(1);
/// Above the 30 s that `--waitForEvent` and the peer's own execute timeout take.
const CALL_LIMIT: Duration = Duration::from_mins(2);
/// Above Fabric's install timeout of 300 s.
const INSTALL_LIMIT: Duration = Duration::from_secs(330);
/// The peer gives its external builders 5 s, then needs a moment to close its ledgers.
const STOP_GRACE: Duration = Duration::from_secs(12);

/// What a Fabric Gateway client needs to talk to a peer as an ordinary member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayAccess {
    /// Host and port.
    pub endpoint: Address,
    /// The CA of the peer's TLS certificate.
    pub tls_ca: PathBuf,
    /// A name that the certificate is good for.
    pub tls_name: String,
    /// The member's organisation.
    pub msp_id: String,
    /// The member's certificate.
    pub certificate: PathBuf,
    /// The member's private key.
    pub key: PathBuf,
}

/// A running peer. All methods may be called from several threads.
#[derive(Debug)]
pub struct Peer {
    facts: PeerFacts,
    log: Log,
    server: Mutex<Server>,
}

/// What a peer is started and spoken to with.
#[derive(Clone, Debug)]
pub(crate) struct PeerFacts {
    pub(crate) organisation: Organisation,
    pub(crate) binaries: Binaries,
    pub(crate) scratch: ScratchDir,
    /// Holds core.yaml.
    pub(crate) home: PathBuf,
    pub(crate) address: Address,
    pub(crate) tls_ca: PathBuf,
    pub(crate) admin: UserMaterial,
    pub(crate) user: UserMaterial,
    /// For the peer process, and by `propagateEnvironment` for its builders.
    pub(crate) environment: BTreeMap<String, OsString>,
    pub(crate) topology: Arc<Topology>,
}

impl Peer {
    /// Starts the process and waits until it serves.
    pub(crate) fn start(facts: PeerFacts) -> Result<Self, ServerError> {
        let mut environment = facts.topology.server_environment(&facts.home);
        environment.extend(facts.environment.clone());
        let name = facts.organisation.name();
        let mut server = Server::start(
            &facts.scratch,
            ServerCommand {
                name: format!("peer {}", facts.organisation.msp_id),
                program: facts.binaries.program("peer"),
                arguments: vec!["node".into(), "start".into()],
                environment,
                dir: facts.home.clone(),
                log: facts.home.join(format!("{name}.log")),
                grace: STOP_GRACE,
            },
        )?;
        server.await_line("Started peer with ID", START_LIMIT)?;
        Ok(Self { log: server.log().clone(), server: Mutex::new(server), facts })
    }

    /// Its organisation's MSP ID.
    pub fn msp_id(&self) -> &str {
        &self.facts.organisation.msp_id
    }

    /// Its log; lines of earlier runs stay in it when the peer restarts.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its process ID.
    pub fn pid(&self) -> u32 {
        self.server().pid()
    }

    /// Ends it as an operator would, and starts it again on the same ledgers; waits until it
    /// serves. Also starts a peer that was stopped or killed.
    pub fn restart(&self) -> Result<(), ServerError> {
        let mut server = self.server();
        server.restart(&self.facts.scratch)?;
        server.await_line("Started peer with ID", START_LIMIT)?;
        Ok(())
    }

    /// SIGTERM; waits until it has ended.
    pub fn stop(&self) {
        self.server().stop();
    }

    /// SIGKILL to the peer and to what it left in its process group (its `run` processes), as
    /// when its container is killed.
    pub fn kill(&self) {
        self.server().kill();
    }

    pub(crate) fn keep(&self) {
        self.server().keep();
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a Fabric Gateway client needs to talk to it.
    pub fn gateway_access(&self) -> GatewayAccess {
        GatewayAccess {
            endpoint: self.facts.address.clone(),
            tls_ca: self.facts.tls_ca.clone(),
            tls_name: format!("peer0.{}", self.facts.organisation.domain()),
            msp_id: self.msp_id().to_owned(),
            certificate: self.facts.user.certificate(),
            key: self.facts.user.key(),
        }
    }

    /// The environment in which the `peer` CLI talks to this peer as its organisation's admin.
    pub fn cli_environment(&self) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        vec![
            ("FABRIC_CFG_PATH", text(&self.facts.home)),
            ("FABRIC_LOGGING_SPEC", "info:grpc=error".to_owned()),
            ("FABRIC_LOGGING_FORMAT", "%{message}".to_owned()),
            ("CORE_PEER_ADDRESS", self.facts.address.to_string()),
            ("CORE_PEER_LOCALMSPID", self.msp_id().to_owned()),
            ("CORE_PEER_MSPCONFIGPATH", text(&self.facts.admin.msp)),
            ("CORE_PEER_TLS_ENABLED", "true".to_owned()),
            ("CORE_PEER_TLS_ROOTCERT_FILE", text(&self.facts.tls_ca)),
        ]
    }

    /// Runs the `peer` CLI with `arguments` against this peer.
    pub fn cli(&self, arguments: &[String], limit: Duration) -> Result<CliOutput, CliError> {
        let mut command = Command::new(self.facts.binaries.program("peer"));
        command.args(arguments).current_dir(&self.facts.home);
        let logs = [self.log.clone(), self.facts.topology.orderer_log.clone()];
        cli::run(&mut command, self.cli_environment(), limit, &logs)
    }

    /// Joins the channel whose genesis block is in `block`.
    pub(crate) fn join(&self, block: &Path) -> Result<(), CliError> {
        let block = block.to_string_lossy();
        self.cli(&words(&["channel", "join", "-b", &block]), CALL_LIMIT)?;
        Ok(())
    }

    /// Installs a chaincode package and returns its package ID.
    pub fn install(&self, package: &Path) -> Result<String, CliError> {
        let package = package.to_string_lossy();
        let arguments = words(&["lifecycle", "chaincode", "install", &package]);
        let output = self.cli(&arguments, INSTALL_LIMIT)?;
        chaincode::package_id(&output.stderr).ok_or_else(|| unexpected(&arguments, output))
    }

    /// The packages it has installed.
    pub fn query_installed(&self) -> Result<Vec<InstalledChaincode>, CliError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            installed_chaincodes: Vec<InstalledChaincode>,
        }
        let arguments = words(&["lifecycle", "chaincode", "queryinstalled", "-O", "json"]);
        let output = self.cli(&arguments, CALL_LIMIT)?;
        serde_json::from_str::<Answer>(&output.stdout)
            .map(|answer| answer.installed_chaincodes)
            .map_err(|_| unexpected(&arguments, output))
    }

    /// Approves the definition for this organisation, with the installed package `package_id`;
    /// waits for the commit event.
    pub fn approve(&self, package_id: &str, definition: &Definition) -> Result<(), CliError> {
        let mut arguments = words(&["lifecycle", "chaincode", "approveformyorg"]);
        arguments.extend(words(&["--package-id", package_id]));
        arguments.extend(self.facts.topology.channel_flags());
        arguments.extend(definition.flags());
        self.cli(&arguments, CALL_LIMIT)?;
        Ok(())
    }

    /// Commits the definition, endorsed by every organisation; waits for the commit event on
    /// each peer.
    pub fn commit(&self, definition: &Definition) -> Result<(), CliError> {
        let mut arguments = words(&["lifecycle", "chaincode", "commit"]);
        arguments.extend(self.facts.topology.channel_flags());
        arguments.extend(self.facts.topology.endorser_flags(&[]));
        arguments.extend(definition.flags());
        self.cli(&arguments, CALL_LIMIT)?;
        Ok(())
    }

    /// Submits a transaction (`ctor` in the CLI's form, `{"Args":["Put","k","v"]}`), endorsed by
    /// every organisation; waits for its commit and returns its payload.
    pub fn invoke(&self, chaincode: &str, ctor: &str) -> Result<String, CliError> {
        self.invoke_with(chaincode, ctor, &CallOptions::default())
    }

    /// As [`Peer::invoke`], with options.
    pub fn invoke_with(
        &self,
        chaincode: &str,
        ctor: &str,
        options: &CallOptions,
    ) -> Result<String, CliError> {
        let mut arguments = words(&["chaincode", "invoke", "-n", chaincode, "-c", ctor]);
        arguments.push("--waitForEvent".to_owned());
        arguments.extend(self.facts.topology.channel_flags());
        arguments.extend(self.facts.topology.endorser_flags(&options.endorsers));
        if options.is_init {
            arguments.push("--isInit".to_owned());
        }
        if let Some(transient) = &options.transient {
            arguments.extend(words(&["--transient", transient]));
        }
        let output = self.cli(&arguments, CALL_LIMIT)?;
        chaincode::invoke_payload(&output.stderr).ok_or_else(|| unexpected(&arguments, output))
    }

    /// Evaluates a call on this peer alone and returns its payload.
    pub fn query(&self, chaincode: &str, ctor: &str) -> Result<String, CliError> {
        let channel = &self.facts.topology.channel;
        let arguments = words(&["chaincode", "query", "-C", channel, "-n", chaincode, "-c", ctor]);
        let mut stdout = self.cli(&arguments, CALL_LIMIT)?.stdout;
        // The CLI's own line end (internal/peer/chaincode/common.go).
        stdout.truncate(stdout.strip_suffix('\n').map_or(stdout.len(), str::len));
        Ok(stdout)
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().copied().map(str::to_owned).collect()
}

fn unexpected(arguments: &[String], output: CliOutput) -> CliError {
    CliError::Unexpected { command: format!("peer {}", arguments.join(" ")), output }
}
