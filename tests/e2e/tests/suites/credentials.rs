//! What a chaincode process holds does not let anyone register with the peer.

use std::path::{Path, PathBuf};
use std::{fs, str};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use e2e::{Process, Turn, chaincode_processes, greeting};
use serde::Deserialize;

use crate::ledger::{self, STAGE};

/// What the peer gives to `run` (`core/container/externalbuilder`, `runConfig`).
#[derive(Deserialize)]
struct RunConfig {
    peer_address: String,
    client_cert: String,
    client_key: String,
    root_cert: String,
}

impl RunConfig {
    /// The one of the only chaincode that runs, from the peer's temporary directory.
    fn read(turn: &Turn<'_>) -> Self {
        let run = fs::read_dir(turn.network.dir().join("tmp"))
            .unwrap()
            .map(|entry| entry.unwrap().path().join("chaincode.json"))
            .find(|file| file.is_file())
            .expect("the peer has left a chaincode.json for run");
        serde_json::from_slice(&ledger::read(&run)).unwrap()
    }
}

/// Where a replica finds what it authenticates with, as it is told.
fn credentials_of(replica: &Process) -> PathBuf {
    let environment = replica.environment();
    let said = environment.lines().find_map(|line| line.strip_prefix("CORE_TLS_CLIENT_CERT_FILE="));
    Path::new(said.expect("it has a certificate")).parent().expect("it is a file").to_owned()
}

#[test]
fn a_replica_has_nothing_of_the_peers() {
    let turn = STAGE.enter();
    let given = RunConfig::read(&turn);
    let replica = chaincode_processes(&turn).remove(0);
    let directory = credentials_of(&replica);
    let mut held = vec![replica.environment().into_bytes()];
    for entry in fs::read_dir(&directory).unwrap() {
        let content = ledger::read(&entry.unwrap().path());
        held.extend(BASE64_STANDARD.decode(&content));
        held.push(content);
    }
    assert!(held.len() > 5, "{} has no credentials", directory.display());
    for secret in [&given.client_key, &given.client_cert, &given.root_cert] {
        let body = secret.lines().nth(1).expect("PEM");
        for content in held.iter().filter_map(|content| str::from_utf8(content).ok()) {
            assert!(!content.contains(body), "a replica was given {secret}");
        }
    }
}

#[test]
fn the_peer_takes_its_own_certificate_and_refuses_a_replicas() {
    let turn = STAGE.enter();
    let given = RunConfig::read(&turn);
    let replica = chaincode_processes(&turn).remove(0);
    let directory = credentials_of(&replica);
    let text = |name: &str| String::from_utf8(ledger::read(&directory.join(name))).unwrap();

    let (address, root) = (&given.peer_address, &given.root_cert);
    let host = address.rsplit_once(':').expect("host:port").0;
    greeting(address, host, root, &given.client_cert, &given.client_key).unwrap();
    let (certificate, key) = (text("client_pem.crt"), text("client_pem.key"));
    let refused = greeting(address, host, root, &certificate, &key).unwrap_err();
    assert!(refused.to_string().contains("alert"), "{refused}");
}
