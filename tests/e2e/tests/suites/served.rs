//! Chaincode that is served elsewhere: the peer dials it by what the package and the peer's
//! environment say, dials again when it is back, and tells a client what is wrong with it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use e2e::{ChaincodeServer, Op, Turn, chaincode_processes, package_by_hand, run_processes};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{Definition, Port};

use crate::link::{LOST, SOON};
use crate::releases::{V3_1_1, on_each_release};

on_each_release!(
    a_templated_package_leads_to_its_server_and_there_again,
    a_package_by_hand_leads_to_a_server_that_wants_a_certificate,
);

/// A `connection.json` in a directory of its own, packaged by `selvedge`.
fn packaged(turn: &Turn<'_>, label: &str, connection: &Value) -> PathBuf {
    let directory = source(connection);
    turn.package(directory.path(), label)
}

/// The same, packaged as Fabric's samples do it, with `tar`.
fn by_hand(turn: &Turn<'_>, label: &str, connection: &Value) -> PathBuf {
    let file = turn.network.dir().join(format!("{label}.tgz"));
    let metadata = json!({"type": "ccaas", "label": label});
    package_by_hand(&metadata, source(connection).path(), &file);
    file
}

fn source(connection: &Value) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("connection.json"), connection.to_string()).unwrap();
    directory
}

/// Approves and commits an installed package.
fn commit(turn: &Turn<'_>, package_id: &str, name: &str) {
    let definition = Definition::new(name);
    turn.peer().approve(package_id, &definition).unwrap();
    turn.peer().commit(&definition).unwrap();
}

/// The chaincode writes and reads; its process.
fn works(turn: &Turn<'_>, name: &str, value: &str) -> String {
    let mut gateway = turn.gateway(name);
    gateway.call(Op::Submit, &["Put", "k", value]).unwrap();
    assert_eq!(gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), value);
    gateway.call(Op::Evaluate, &["Pid"]).unwrap()
}

/// What a client is told of a chaincode that the peer cannot dial; the others go on.
fn told(turn: &Turn<'_>, name: &str, parts: &[&str]) {
    let error = turn.gateway(name).call(Op::Evaluate, &["Get", "k"]).unwrap_err();
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    assert!(turn.gateway("ledger").call(Op::Evaluate, &["Echo", "on"]).is_ok());
}

fn pem(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// The peer's own certificate will do for a server: it is for 127.0.0.1, and its authority is known.
fn server_files(turn: &Turn<'_>) -> Vec<(&'static str, PathBuf)> {
    let material = turn.peer().material();
    vec![
        ("CHAINCODE_TLS_KEY", material.tls_key()),
        ("CHAINCODE_TLS_CERT", material.tls_certificate()),
    ]
}

fn a_templated_package_leads_to_its_server_and_there_again(turn: &Turn<'_>) {
    let port = Port::lease().unwrap();
    let connection =
        json!({"address": format!("{{{{.host}}}}:{}", port.number()), "dial_timeout": "10s"});
    let package_id = turn.peer().install(&packaged(turn, "served_1.0", &connection)).unwrap();
    let processes = (run_processes(turn), chaincode_processes(turn));
    let mut server = ChaincodeServer::start(port, &package_id, &[]);
    commit(turn, &package_id, "served");
    let first = works(turn, "served", "one");

    server.kill();
    let lost = format!("{LOST}{package_id}");
    turn.peer().log().wait_for_line(turn.peer_mark, &lost, SOON).unwrap();
    told(turn, "served", &["connection refused"]);
    server.restart();
    assert_ne!(works(turn, "served", "two"), first);
    assert_eq!((run_processes(turn), chaincode_processes(turn)), processes, "nothing was run");
}

/// Its `connection.json` has no `dial_timeout`, which Fabric's own builder makes an empty text of,
/// at which its peer stumbles.
fn a_package_by_hand_leads_to_a_server_that_wants_a_certificate(turn: &Turn<'_>) {
    let port = Port::lease().unwrap();
    let material = turn.peer().material();
    let connection = json!({
        "address": format!("127.0.0.1:{}", port.number()),
        "tls_required": true,
        "client_auth_required": true,
        "root_cert": pem(&material.tls_ca()),
        "client_key": pem(&material.tls_key()),
        "client_cert": pem(&material.tls_certificate()),
    });
    let package_id = turn.peer().install(&by_hand(turn, "mutual_1.0", &connection)).unwrap();
    let mut files = server_files(turn);
    files.push(("CHAINCODE_CLIENT_CA_CERT", material.tls_ca()));
    let _server = ChaincodeServer::start(port, &package_id, &files);
    commit(turn, &package_id, "mutual");
    works(turn, "mutual", "one");
}

#[test]
fn a_server_with_tls_is_dialled_and_one_with_anothers_certificate_is_not() {
    let turn = V3_1_1.enter();
    let material = turn.peer().material();
    let ports = [Port::lease().unwrap(), Port::lease().unwrap()];
    // The organisation's other authority, which signed no certificate of a server.
    let other = fs::read_dir(material.msp.join("cacerts")).unwrap().next().unwrap().unwrap().path();
    let mut servers = Vec::new();
    for (port, (name, root)) in
        ports.into_iter().zip([("tls", material.tls_ca()), ("stranger", other)])
    {
        let connection = json!({
            "address": format!("127.0.0.1:{}", port.number()),
            "dial_timeout": "2s",
            "tls_required": true,
            "root_cert": pem(&root),
        });
        let package = packaged(&turn, &format!("{name}_1.0"), &connection);
        let package_id = turn.peer().install(&package).unwrap();
        servers.push(ChaincodeServer::start(port, &package_id, &server_files(&turn)));
        commit(&turn, &package_id, name);
    }
    works(&turn, "tls", "one");
    // The client is told by the peer what became of its dialling, the peer's log why.
    told(&turn, "stranger", &["connection to stranger_1.0:", "context deadline exceeded"]);
    let reason = "certificate signed by unknown authority";
    turn.peer().log().wait_for_line(turn.peer_mark, reason, SOON).unwrap();
}

#[test]
fn one_that_takes_the_connection_and_never_speaks_is_told_to_the_client() {
    let turn = V3_1_1.enter();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let connection = json!({"address": address, "dial_timeout": "1s"});
    let package_id = turn.peer().install(&packaged(&turn, "silent_1.0", &connection)).unwrap();
    commit(&turn, &package_id, "silent");
    told(&turn, "silent", &[&address, "context deadline exceeded"]);
}

#[test]
fn a_gap_that_the_peers_operator_does_not_fill_fails_the_install_with_what_to_set() {
    let turn = V3_1_1.enter();
    let package = packaged(&turn, "gap_1.0", &json!({"address": "{{.peername}}_asset:9999"}));
    let error = turn.peer().install(&package).unwrap_err();
    assert!(error.stderr().contains("external builder 'selvedge' failed: exit"), "{error}");
    let reason = "connection.json: `address` wants `{{.peername}}`, and CHAINCODE_AS_A_SERVICE_BUI";
    let line = turn.peer().log().wait_for_line(turn.peer_mark, reason, SOON).unwrap();
    assert!(line.contains("[chaincode.externalbuilder.selvedge]"), "{line}");
    assert_eq!(line.matches("wants").count(), 1, "{line}");
}
