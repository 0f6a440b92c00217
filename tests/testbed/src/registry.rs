//! Debian's docker-registry: its configurations, open to all or for who knows a password, and one
//! that runs as a process of this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;

use crate::binaries::Progress;
use crate::cache::{CacheError, io_error};
use crate::debian::{self, DebianError};
use crate::process::{Server, ServerCommand, ServerError};
use crate::scratch::{Scratch, ScratchError};

/// What a registry logs before its address.
const LISTENING: &str = "listening on ";

/// Who may use a registry with a password.
pub const USER: &str = "chaincode";

/// Whose hash is in [`HTPASSWD`].
pub const PASSWORD: &str = "right horse";

/// Its users, as `htpasswd -B` writes them.
pub const HTPASSWD: &str =
    "chaincode:$2b$05$abcdefghijklmnopqrstuuB05BVy0V7KomGh8K56xgiHLq3Wkqh46\n";

/// A registry over plain HTTP at `address` whose content is in `content`. JSON, which is YAML.
pub fn configuration(address: &str, content: &Path) -> Value {
    json!({
        "version": 0.1,
        "log": { "level": "info", "accesslog": { "disabled": true } },
        "storage": {
            "filesystem": { "rootdirectory": content },
            "delete": { "enabled": true },
        },
        "http": { "addr": address },
    })
}

/// The same for the users in the file `htpasswd` ([`HTPASSWD`]) alone.
pub fn guarded(address: &str, content: &Path, htpasswd: &Path) -> Value {
    let mut configuration = configuration(address, content);
    configuration["auth"] = json!({ "htpasswd": { "realm": "chaincode", "path": htpasswd } });
    configuration
}

/// Why a registry does not run.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// No place for its configuration.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] CacheError),
    /// It did not start.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// Whom a registry lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Who has the password.
    Password,
}

/// A registry over plain HTTP on a free port of 127.0.0.1. It ends when dropped.
#[derive(Debug)]
pub struct RegistryServer {
    server: Server,
    address: String,
    _scratch: Scratch,
}

impl RegistryServer {
    /// Runs `program`, with its content in the directory `content`.
    pub fn start(program: &Path, content: &Path, access: Access) -> Result<Self, RegistryError> {
        let scratch = Scratch::create()?;
        let dir = scratch.dir();
        let write = |name: &str, content: &str| {
            let path = dir.join(name);
            std::fs::write(&path, content).map_err(|e| io_error("write", &path, e)).map(|()| path)
        };
        let anywhere = "127.0.0.1:0";
        let config = match access {
            Access::Open => configuration(anywhere, content),
            Access::Password => guarded(anywhere, content, &write("htpasswd", HTPASSWD)?),
        };
        let config = write("registry.json", &config.to_string())?;
        let command = ServerCommand {
            name: "registry".to_owned(),
            program: program.to_owned(),
            arguments: vec!["serve".into(), config.into()],
            environment: [].into(),
            dir: dir.path().to_owned(),
            log: dir.join("registry.log"),
            grace: Duration::from_secs(5),
        };
        let mut server = Server::start(dir, command)?;
        let line = server.await_line(LISTENING, Duration::from_secs(20))?;
        let address = line.split(LISTENING).nth(1).unwrap_or_default();
        let address = address.split(['"', ',']).next().unwrap_or_default().to_owned();
        Ok(Self { server, address, _scratch: scratch })
    }

    /// `ADDRESS:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.server.stop();
    }
}

/// The program, from the cache or from Debian's package.
pub fn program(progress: &mut Progress<'_>) -> Result<PathBuf, DebianError> {
    let root = debian::unpack("docker-registry", &["docker-registry"], progress)?;
    Ok(root.join("usr/bin/docker-registry"))
}
