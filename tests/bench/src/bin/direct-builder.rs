//! The external builder to compare with: `run` becomes the chaincode itself,
//! which dials the peer with the peer's own credentials. Nothing is between.
//!
//! One executable under the four names that a peer calls. It claims only labels
//! that begin with `direct`, and starts the program that `BENCH_CHAINCODE` names,
//! whatever source the package has.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

/// `metadata.json` of a package.
#[derive(Deserialize)]
struct Metadata {
    label: String,
}

/// `chaincode.json`, as `core/container/externalbuilder/instance.go` writes it.
#[derive(Deserialize)]
struct RunConfig {
    chaincode_id: String,
    peer_address: String,
    client_cert: String,
    client_key: String,
    root_cert: String,
    mspid: String,
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<PathBuf> = std::env::args_os().map(PathBuf::from).collect();
    let name = arguments.first().and_then(|path| path.file_name()).unwrap_or_default();
    match (name.to_str(), &arguments[1..]) {
        (Some("detect"), [_, metadata]) => {
            let text = fs::read(metadata.join("metadata.json"))?;
            let ours = serde_json::from_slice::<Metadata>(&text)?.label.starts_with("direct");
            Ok(if ours { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        // The program is there already.
        (Some("build"), [_, _, _]) | (Some("release"), [_, _]) => Ok(ExitCode::SUCCESS),
        (Some("run"), [_, metadata]) => become_chaincode(metadata).map(|()| ExitCode::SUCCESS),
        _ => bail!("a peer calls this as detect, build, release or run"),
    }
}

/// Starts the chaincode as Fabric's own images do (`core/container/dockercontroller`).
/// `directory` is the peer's, which removes it when the chaincode ends.
fn become_chaincode(directory: &Path) -> Result<()> {
    let program = std::env::var_os("BENCH_CHAINCODE").context("BENCH_CHAINCODE is not set")?;
    let text = fs::read(directory.join("chaincode.json"))?;
    let config: RunConfig = serde_json::from_slice(&text)?;
    let mut command = Command::new(program);
    let key = &config.client_key;
    let certificate = &config.client_cert;
    for (variable, name, content) in [
        ("CORE_TLS_CLIENT_KEY_PATH", "client.key", BASE64_STANDARD.encode(key)),
        ("CORE_TLS_CLIENT_CERT_PATH", "client.crt", BASE64_STANDARD.encode(certificate)),
        ("CORE_TLS_CLIENT_KEY_FILE", "client_pem.key", key.clone()),
        ("CORE_TLS_CLIENT_CERT_FILE", "client_pem.crt", certificate.clone()),
        ("CORE_PEER_TLS_ROOTCERT_FILE", "peer.crt", config.root_cert),
    ] {
        let path = directory.join(name);
        fs::write(&path, content)?;
        command.env(variable, path);
    }
    // As behind the proxy, and as in a container: the kernel divides the processors between
    // sessions first (sched(7), autogrouping), and to share one with the peer is an advantage.
    rustix::process::setsid().context("cannot begin a session")?;
    let failure = command
        .env("CORE_CHAINCODE_ID_NAME", config.chaincode_id)
        .env("CORE_PEER_TLS_ENABLED", "true")
        .env("CORE_PEER_LOCALMSPID", config.mspid)
        .arg(format!("-peer.address={}", config.peer_address))
        .exec();
    Err(failure).context("cannot start the chaincode")
}
