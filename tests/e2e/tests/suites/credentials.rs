//! What a chaincode process holds does not let anyone register with the peer.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::{fs, str};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use e2e::{Turn, chaincode_processes};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde::Deserialize;

use crate::ledger::{self, STAGE};
use crate::link::SOON;

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

#[test]
fn a_replica_has_nothing_of_the_peers() {
    let turn = STAGE.enter();
    let given = RunConfig::read(&turn);
    let replica = chaincode_processes(&turn).remove(0);
    let directory = replica.root().join("etc/hyperledger/fabric");
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
    let directory = replica.root().join("etc/hyperledger/fabric");
    let text = |name: &str| String::from_utf8(ledger::read(&directory.join(name))).unwrap();

    greeted(&given, &given.client_cert, &given.client_key).unwrap();
    let refused = greeted(&given, &text("client_pem.crt"), &text("client_pem.key")).unwrap_err();
    assert!(refused.to_string().contains("alert"), "{refused}");
}

/// Connects to the peer's chaincode listener with a certificate and waits for the first word
/// of its HTTP/2 server: with TLS 1.3, a client learns no sooner whether it is accepted.
fn greeted(given: &RunConfig, certificate: &str, key: &str) -> io::Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(der(&given.root_cert)).unwrap();
    // Whatever the PEM header says, what is in it is PKCS#8.
    let key = PrivatePkcs8KeyDer::from(pem::parse(key).unwrap().into_contents());
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![der(certificate)], key.into())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let host = given.peer_address.rsplit_once(':').expect("host:port").0.to_owned();
    let name = ServerName::try_from(host).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let socket = TcpStream::connect(&given.peer_address)?;
    socket.set_read_timeout(Some(SOON))?;
    let mut stream = StreamOwned::new(connection, socket);
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")?;
    stream.read_exact(&mut [0; 9])
}

fn der(certificate: &str) -> CertificateDer<'static> {
    pem::parse(certificate).unwrap().into_contents().into()
}
