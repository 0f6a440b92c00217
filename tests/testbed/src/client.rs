//! What is asked of a peer, wherever it runs: the lifecycle and calls through its CLI.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::binaries::Binaries;
use crate::chaincode::{self, CallOptions, Definition, InstalledChaincode};
use crate::cli::{self, CliError, CliOutput};
use crate::log::Log;
use crate::material::{Address, NodeMaterial, Organisation, UserMaterial};
use crate::topology::Topology;

/// Above the 30 s that `--waitForEvent` and the peer's own execute timeout take.
const CALL_LIMIT: Duration = Duration::from_mins(2);
/// Above Fabric's install timeout of 300 s.
const INSTALL_LIMIT: Duration = Duration::from_secs(330);

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

/// A chaincode that is to be packaged, and where somebody stands who does it.
#[derive(Clone, Debug)]
pub struct Packaging<'a> {
    /// Its language, as the CLI calls it: `golang`.
    pub language: &'a str,
    /// The chaincode: a directory, or for Go an import path.
    pub path: &'a str,
    /// Where the `peer` CLI is run.
    pub directory: &'a Path,
    /// What the CLI is told besides, such as where a GOPATH is.
    pub environment: Vec<(&'static str, String)>,
    /// The package's label.
    pub label: &'a str,
    /// The file to write.
    pub file: &'a Path,
}

/// Speaks with a peer as its organisation's administrator. All methods may be called from
/// several threads.
#[derive(Clone, Debug)]
pub struct PeerClient {
    pub(crate) organisation: Organisation,
    /// What it is called within that: `peer0`.
    pub(crate) name: String,
    pub(crate) binaries: Binaries,
    /// Holds core.yaml.
    pub(crate) home: PathBuf,
    pub(crate) address: Address,
    pub(crate) material: NodeMaterial,
    pub(crate) admin: UserMaterial,
    pub(crate) user: UserMaterial,
    pub(crate) topology: Arc<Topology>,
    /// What an error shows of, when the peer's log is a file of this machine.
    pub(crate) log: Option<Log>,
}

impl PeerClient {
    /// Its organisation's MSP ID.
    pub fn msp_id(&self) -> &str {
        &self.organisation.msp_id
    }

    /// Its organisation.
    pub fn organisation(&self) -> &Organisation {
        &self.organisation
    }

    /// What it is called within its organisation: `peer0`, or `peer1` of several.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where clients reach it.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its keys and certificates.
    pub fn material(&self) -> &NodeMaterial {
        &self.material
    }

    /// What a Fabric Gateway client needs to talk to it.
    pub fn gateway_access(&self) -> GatewayAccess {
        GatewayAccess {
            endpoint: self.address.clone(),
            tls_ca: self.material.tls_ca(),
            tls_name: format!("{}.{}", self.name, self.organisation.domain()),
            msp_id: self.msp_id().to_owned(),
            certificate: self.user.certificate(),
            key: self.user.key(),
        }
    }

    /// The environment in which the `peer` CLI talks to this peer as its organisation's admin.
    pub fn cli_environment(&self) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        vec![
            ("FABRIC_CFG_PATH", text(&self.home)),
            ("FABRIC_LOGGING_SPEC", "info:grpc=error".to_owned()),
            ("FABRIC_LOGGING_FORMAT", "%{message}".to_owned()),
            ("CORE_PEER_ADDRESS", self.address.to_string()),
            ("CORE_PEER_LOCALMSPID", self.msp_id().to_owned()),
            ("CORE_PEER_MSPCONFIGPATH", text(&self.admin.msp)),
            ("CORE_PEER_TLS_ENABLED", "true".to_owned()),
            ("CORE_PEER_TLS_ROOTCERT_FILE", text(&self.material.tls_ca())),
        ]
    }

    /// Runs the `peer` CLI with `arguments` against this peer.
    pub fn cli(&self, arguments: &[String], limit: Duration) -> Result<CliOutput, CliError> {
        self.cli_in(&self.home, Vec::new(), arguments, limit)
    }

    fn cli_in(
        &self,
        directory: &Path,
        mut environment: Vec<(&'static str, String)>,
        arguments: &[String],
        limit: Duration,
    ) -> Result<CliOutput, CliError> {
        let mut command = Command::new(self.binaries.program("peer"));
        command.args(arguments).current_dir(directory);
        let logs: Vec<Log> = self.log.iter().chain([&self.topology.orderer_log]).cloned().collect();
        environment.extend(self.cli_environment());
        cli::run(&mut command, environment, limit, &logs)
    }

    /// Packages a chaincode with the `peer` CLI, which asks Go for what is Go.
    pub fn package(&self, packaging: &Packaging<'_>) -> Result<(), CliError> {
        let Packaging { language, path, directory, environment, label, file } = packaging;
        let file = file.to_string_lossy();
        let mut arguments = words(&["lifecycle", "chaincode", "package", &file]);
        arguments.extend(words(&["--lang", language, "--path", path, "--label", label]));
        self.cli_in(directory, environment.clone(), &arguments, CALL_LIMIT)?;
        Ok(())
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
        let answer = serde_json::from_str::<Answer>(&output.stdout);
        let mut installed =
            answer.map_err(|_| unexpected(&arguments, output))?.installed_chaincodes;
        // A peer keeps them in a map (`core/chaincode/lifecycle/cache.go`), and tells each time in
        // another order.
        installed.sort_by(|one, other| one.package_id.cmp(&other.package_id));
        Ok(installed)
    }

    /// Approves the definition for this organisation, with the installed package `package_id`;
    /// waits for the commit event.
    pub fn approve(&self, package_id: &str, definition: &Definition) -> Result<(), CliError> {
        let mut arguments = words(&["lifecycle", "chaincode", "approveformyorg"]);
        arguments.extend(words(&["--package-id", package_id]));
        arguments.extend(self.topology.channel_flags());
        arguments.extend(definition.flags());
        self.cli(&arguments, CALL_LIMIT)?;
        Ok(())
    }

    /// Commits the definition, endorsed by every peer; waits for the commit event on
    /// each peer.
    pub fn commit(&self, definition: &Definition) -> Result<(), CliError> {
        let mut arguments = words(&["lifecycle", "chaincode", "commit"]);
        arguments.extend(self.topology.channel_flags());
        arguments.extend(self.topology.endorser_flags(&[]));
        arguments.extend(definition.flags());
        self.cli(&arguments, CALL_LIMIT)?;
        Ok(())
    }

    /// Submits a transaction (`ctor` in the CLI's form, `{"Args":["Put","k","v"]}`), endorsed by
    /// every peer; waits for its commit and returns its payload.
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
        arguments.extend(self.topology.channel_flags());
        arguments.extend(self.topology.endorser_flags(&options.endorsers));
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
        self.query_with(chaincode, ctor, None)
    }

    /// As [`Peer::query`], with transient data ([`CallOptions::transient`]).
    pub fn query_with(
        &self,
        chaincode: &str,
        ctor: &str,
        transient: Option<&str>,
    ) -> Result<String, CliError> {
        let channel = &self.topology.channel;
        let mut arguments =
            words(&["chaincode", "query", "-C", channel, "-n", chaincode, "-c", ctor]);
        if let Some(transient) = transient {
            arguments.extend(words(&["--transient", transient]));
        }
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
