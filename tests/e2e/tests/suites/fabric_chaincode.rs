//! The chaincodes of Fabric's own suites (`integration/chaincode`), unchanged, as packages of Go.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use e2e::{ChaincodeServer, Turn};
use serde_json::{Value, json};
use testbed::{CallOptions, Definition, Port, Release, binaries, fabric_source};

use crate::many::STAGE;

/// All of them that are in Fabric's own module, and what it depends on.
const PARTS: [&str; 9] = [
    "go.mod",
    "go.sum",
    "integration/chaincode/keylevelep",
    "integration/chaincode/kvexecutor",
    "integration/chaincode/marbles",
    "integration/chaincode/marbles_private",
    "integration/chaincode/multi",
    "integration/chaincode/server",
    "integration/chaincode/simple",
];

/// Where they can be packaged from.
fn source(turn: &Turn<'_>) -> PathBuf {
    let copy = turn.network.dir().join("fabric");
    if !copy.is_dir() {
        let fabric = fabric_source::directory(Release::V3_1_1).unwrap();
        for part in PARTS {
            testbed::copy::copy(&fabric.join(part), &copy.join(part)).unwrap();
        }
    }
    copy
}

/// Deploys one.
fn deploy(turn: &Turn<'_>, directory: &str, definition: &Definition) {
    let source = source(turn).join("integration/chaincode").join(directory);
    turn.deploy(&source, definition);
}

/// How it is called on the command line.
fn words(words: &[&str]) -> String {
    json!({ "Args": words }).to_string()
}

#[test]
fn simple() {
    let turn = STAGE.enter();
    let definition = Definition { init_required: true, ..Definition::new("simple") };
    deploy(&turn, "simple/cmd", &definition);
    let init = CallOptions { is_init: true, ..CallOptions::default() };
    let peer = turn.peer();
    peer.invoke_with("simple", &words(&["init", "a", "100", "b", "200"]), &init).unwrap();
    peer.invoke("simple", &words(&["invoke", "a", "b", "10"])).unwrap();
    assert_eq!(peer.query("simple", &words(&["query", "a"])).unwrap(), "90");
    assert_eq!(peer.query("simple", &words(&["mspid"])).unwrap(), "Org1MSP");
}

#[test]
fn marbles_with_its_indexes() {
    let turn = STAGE.enter();
    deploy(&turn, "marbles/cmdwithindexspecs", &Definition::new("marbles"));
    let peer = turn.peer();
    peer.invoke("marbles", &words(&["initMarble", "marble1", "blue", "35", "tom"])).unwrap();
    peer.invoke("marbles", &words(&["transferMarble", "marble1", "jerry"])).unwrap();
    let marble = peer.query("marbles", &words(&["readMarble", "marble1"])).unwrap();
    let marble: Value = serde_json::from_str(&marble).unwrap();
    assert_eq!((&marble["owner"], &marble["size"]), (&json!("jerry"), &json!(35)));
    let history = peer.query("marbles", &words(&["getHistoryForMarble", "marble1"])).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&history).unwrap().as_array().unwrap().len(), 2);
}

/// A file with collections of the stage's one organisation.
fn collections(turn: &Turn<'_>, names: &[&str]) -> PathBuf {
    let collections = names.iter().map(|name| {
        json!({
            "name": name, "policy": "OR('Org1MSP.member')", "requiredPeerCount": 0,
            "maxPeerCount": 1, "blockToLive": 1_000_000, "memberOnlyRead": true,
        })
    });
    let file = turn.network.dir().join(format!("{}.json", names[0]));
    fs::write(&file, Value::Array(collections.collect()).to_string()).unwrap();
    file
}

#[test]
fn marbles_private() {
    let turn = STAGE.enter();
    let collections = collections(&turn, &["collectionMarbles", "collectionMarblePrivateDetails"]);
    let definition =
        Definition { collections_config: Some(collections), ..Definition::new("marbles_private") };
    deploy(&turn, "marbles_private/cmd", &definition);
    let marble =
        json!({"name": "marble1", "color": "blue", "size": 35, "owner": "tom", "price": 99});
    let transient = json!({ "marble": BASE64_STANDARD.encode(marble.to_string()) });
    let options = CallOptions { transient: Some(transient.to_string()), ..CallOptions::default() };
    let peer = turn.peer();
    peer.invoke_with("marbles_private", &words(&["initMarble"]), &options).unwrap();
    let call = words(&["readMarblePrivateDetails", "marble1"]);
    let details = peer.query("marbles_private", &call).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&details).unwrap()["price"], 99);
}

#[test]
fn keylevelep() {
    let turn = STAGE.enter();
    deploy(&turn, "keylevelep/cmd", &Definition::new("keylevelep"));
    let peer = turn.peer();
    peer.invoke("keylevelep", &words(&["setval", "pub", "bar"])).unwrap();
    peer.invoke("keylevelep", &words(&["addorgs", "pub", "Org1MSP"])).unwrap();
    assert_eq!(peer.query("keylevelep", &words(&["getval", "pub"])).unwrap(), "bar");
    let organisations = peer.query("keylevelep", &words(&["listorgs", "pub"])).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&organisations).unwrap(), json!(["Org1MSP"]));
}

#[test]
fn kvexecutor() {
    let turn = STAGE.enter();
    deploy(&turn, "kvexecutor/cmd", &Definition::new("kvexecutor"));
    let data = BASE64_STANDARD.encode(r#"[{"key":"k","value":"v"}]"#);
    let peer = turn.peer();
    peer.invoke("kvexecutor", &words(&["readWriteKVs", "", &data])).unwrap();
    let read = peer.query("kvexecutor", &words(&["readWriteKVs", &data, ""])).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&read).unwrap()[0]["value"], "v");
}

/// Batches and reads of many keys at once, which peers have from v3.1 on.
#[test]
fn multi() {
    let turn = STAGE.enter();
    deploy(&turn, "multi/cmd", &Definition::new("multi"));
    let peer = turn.peer();
    peer.invoke("multi", &words(&["invoke", "true", "2000"])).unwrap();
    assert_eq!(peer.query("multi", &words(&["get-key", "1999"])).unwrap(), "key1999");
    peer.query("multi", &words(&["get-multiple-keys", "2000"])).unwrap();
}

#[test]
fn server() {
    let turn = STAGE.enter();
    let program = turn.network.dir().join("fabric-server");
    let arguments = ["./integration/chaincode/server"];
    binaries::go_build(&source(&turn), &program, &arguments, &mut |_| {}).unwrap();
    let port = Port::lease().unwrap();
    let directory = turn.network.dir().join("served-by-fabric");
    fs::create_dir(&directory).unwrap();
    let peer = turn.peer();
    // The peer's own certificate will do for both sides.
    let material = peer.material();
    let [key, cert, ca] = [material.tls_key(), material.tls_certificate(), material.tls_ca()]
        .map(|file| fs::read_to_string(file).unwrap());
    let connection = json!({
        "address": format!("127.0.0.1:{}", port.number()), "dial_timeout": "10s",
        "tls_required": true, "client_auth_required": true,
        "root_cert": ca, "client_key": key, "client_cert": cert,
    });
    fs::write(directory.join("connection.json"), connection.to_string()).unwrap();
    let package_id = peer.install(&turn.package(&directory, "fabric-server_1.0")).unwrap();
    let _server = ChaincodeServer::of_fabric(
        port,
        &package_id,
        program,
        json!({ "key": key, "cert": cert, "ca": ca }),
    );
    let definition = Definition { init_required: true, ..Definition::new("fabric-server") };
    peer.approve(&package_id, &definition).unwrap();
    peer.commit(&definition).unwrap();
    let init = CallOptions { is_init: true, ..CallOptions::default() };
    peer.invoke_with("fabric-server", &words(&["init", "a", "100", "b", "200"]), &init).unwrap();
    assert_eq!(peer.query("fabric-server", &words(&["query", "b"])).unwrap(), "200");
}
