//! Chaincode that is served elsewhere: `build` and `release` tell the peer where, without a
//! launcher, and `run` has nothing to run.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::{
    executable::{Executable, Outcome, call, names},
    sandbox::Sandbox,
};

const VARIABLE: &str = "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG";
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\\nc2VjcmV0\\n-----END CERTIFICATE-----\\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\\nc2VjcmV0\\n-----END PRIVATE KEY-----\\n";

/// Builds with this in the variable; there is no launcher at all.
fn build(sandbox: &Sandbox, values: Option<&str>) -> Outcome {
    Executable::start(sandbox.build().envs(values.map(|values| (VARIABLE, values)))).end()
}

fn release(sandbox: &Sandbox) -> Outcome {
    call("release", &[&sandbox.path("out"), &sandbox.path("rel")])
}

/// Builds and releases; what the peer then reads.
fn released(sandbox: &Sandbox, values: Option<&str>) -> serde_json::Value {
    for outcome in [build(sandbox, values), release(sandbox)] {
        assert_eq!((outcome.code, outcome.lines.len()), (0, 0), "{outcome:?}");
    }
    let path = "rel/chaincode/server/connection.json";
    let mode = fs::metadata(sandbox.path(path)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "others may read the key");
    serde_json::from_slice(&sandbox.read(path)).unwrap()
}

/// The build fails for this reason, and leaves nothing.
fn refused(connection: &str, values: Option<&str>, reason: &str) {
    let sandbox = Sandbox::served(connection);
    let outcome = build(&sandbox, values);
    assert_eq!((outcome.code, outcome.lines.len()), (1, 1), "{outcome:?}");
    assert!(outcome.reason().starts_with(reason), "{outcome:?}");
    assert!(names(&sandbox.path("out")).is_empty());
}

#[test]
fn the_peer_is_told_where_the_server_is() {
    let sandbox = Sandbox::served(r#"{"address":"asset:9999","dial_timeout":"10s","unknown":1}"#);
    let file = serde_json::json!({
        "address": "asset:9999", "dial_timeout": "10s", "tls_required": false,
        "client_auth_required": false,
    });
    assert_eq!(released(&sandbox, None), file);
    assert_eq!(names(&sandbox.path("out")), ["connection.json"]);
}

/// Fabric's own builder writes `""`, which its peer refuses at the first call.
#[test]
fn a_timeout_that_is_left_out_is_the_peers() {
    let released = released(&Sandbox::served(r#"{"address":"asset:9999"}"#), None);
    assert_eq!(released.get("dial_timeout"), None, "{released}");
}

#[test]
fn tls_on_both_sides_reaches_the_peer() {
    let sandbox = Sandbox::served(&format!(
        r#"{{"address":"asset:9999","domain":"asset.example.com","tls_required":true,
            "client_auth_required":true,"root_cert":"{CERTIFICATE}","client_key":"{KEY}",
            "client_cert":"{CERTIFICATE}"}}"#
    ));
    let released = released(&sandbox, None);
    let certificate = CERTIFICATE.replace("\\n", "\n");
    assert_eq!(released["domain"], "asset.example.com");
    assert_eq!(released["root_cert"], certificate);
    assert_eq!(released["client_cert"], certificate);
    assert_eq!(released["client_key"], KEY.replace("\\n", "\n"));
    assert_eq!(
        (&released["tls_required"], &released["client_auth_required"]),
        (&true.into(), &true.into())
    );
}

/// With the variable as it is at the build: what a peer keeps does not change later.
#[test]
fn gaps_are_filled_from_the_peers_environment() {
    let sandbox = Sandbox::served(r#"{"address":"{{.peername}}_assetholder:{{.port}}"}"#);
    let values = r#"{"peername":"org1peer1","port":9999}"#;
    assert_eq!(released(&sandbox, Some(values))["address"], "org1peer1_assetholder:9999");
}

#[test]
fn what_a_gap_wants_is_named() {
    let templated = r#"{"address":"{{.peername}}:9999"}"#;
    for (values, reason) in [
        (None, "connection.json: `address` wants `{{.peername}}`, and CHAINCODE_AS_A_SERVICE_BUIL"),
        (Some(""), "connection.json: `address` wants `{{.peername}}`, and CHAINCODE_AS_A_SERVICE_"),
        (Some("{}"), "connection.json: `address` wants `{{.peername}}`, and CHAINCODE_AS_A_SERVIC"),
        (Some("peername"), "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG is not a JSON object, such as"),
    ] {
        refused(templated, values, reason);
    }
    let outcome = build(&Sandbox::served(templated), None);
    assert!(outcome.reason().contains("propagateEnvironment in core.yaml"), "{outcome:?}");
    assert!(outcome.reason().contains(r#"'{"peername":"…"}'"#), "{outcome:?}");
}

#[test]
fn what_no_peer_could_dial_is_refused_at_the_install() {
    for (connection, reason) in [
        ("", "connection.json: it is not a JSON object: "),
        (r#"{"address":"asset"}"#, "connection.json: `address` is \"asset\", which has no port"),
        (r#"{"address":["a:1"]}"#, "connection.json: `address` is an array: it must be host and"),
        (
            r#"{"address":"a:1","dial_timeout":"10"}"#,
            "connection.json: `dial_timeout` is \"10\": it must be a number with a unit",
        ),
        (
            r#"{"address":"a:1","tls_required":"true"}"#,
            "connection.json: `tls_required` is the text \"true\": it must be true or false, wi",
        ),
        (
            r#"{"address":"a:1","tls_required":true}"#,
            "connection.json: `root_cert` is missing, and `tls_required` is true: it must be",
        ),
        (
            r#"{"address":"a:1","tls_required":true,"root_cert":"/etc/ca.pem"}"#,
            "connection.json: `root_cert` is no PEM: ",
        ),
        (
            r#"{"address":"{{range .hosts}}a{{end}}:1"}"#,
            "connection.json: `address` has `{{range .hosts}}`: of Go's templates Selvedge takes",
        ),
    ] {
        refused(connection, None, reason);
    }
    let outcome = build(&Sandbox::served("{}"), None);
    let whole = "connection.json: `address` is missing: it must be host and port in quotes, such as \
                 \"asset.example.com:9999\"";
    assert_eq!(outcome.reason(), whole);
    let large = format!(r#"{{"address":"a:1","more":"{}"}}"#, "x".repeat(1 << 20));
    refused(&large, None, "connection.json: it is larger than 1048576 bytes");
}

#[test]
fn a_package_that_does_not_say_is_told_what_it_lacks() {
    let sandbox = Sandbox::served("{}");
    fs::rename(sandbox.path("src/connection.json"), sandbox.path("src/Connection.json")).unwrap();
    let outcome = build(&sandbox, None);
    assert_eq!(outcome.code, 1);
    let reason = "the code has no connection.json at its top: a chaincode of type ccaas has one";
    assert!(outcome.reason().starts_with(reason), "{outcome:?}");
    assert!(names(&sandbox.path("out")).is_empty());

    let sandbox = Sandbox::served("{}");
    fs::remove_file(sandbox.path("src/connection.json")).unwrap();
    fs::create_dir(sandbox.path("src/connection.json")).unwrap();
    let outcome = build(&sandbox, None);
    assert!(outcome.reason().contains("src/connection.json: Is a directory"), "{outcome:?}");
}

#[test]
fn its_indexes_reach_the_ledger_as_any_other_chaincodes_do() {
    let sandbox = Sandbox::served(r#"{"address":"asset:9999"}"#);
    let index = "statedb/couchdb/indexes/owner.json";
    sandbox.write(&format!("src/META-INF/{index}"), "{}");
    sandbox.write("src/META-INF/read.me", "");
    assert_eq!(build(&sandbox, None).code, 0);
    assert_eq!(names(&sandbox.path("out")), ["META-INF", "connection.json"]);
    let outcome = release(&sandbox);
    assert_eq!(outcome.lines, ["META-INF/read.me is left out: a peer looks for no index there"]);
    assert_eq!(names(&sandbox.path("rel")), ["chaincode", "statedb"]);
    assert_eq!(sandbox.read(&format!("rel/{index}")), b"{}");
}

/// A peer calls it when `release` was not there to tell it better.
#[test]
fn a_run_that_a_peer_asks_for_all_the_same_says_why_there_is_none() {
    let sandbox = Sandbox::served(r#"{"address":"asset:9999"}"#);
    assert_eq!(build(&sandbox, None).code, 0);
    let outcome = Executable::start(&mut sandbox.run()).end();
    assert_eq!((outcome.code, outcome.lines.len()), (1, 1), "{outcome:?}");
    let reason = "this chaincode is served elsewhere, and there is nothing to run: ";
    assert!(outcome.reason().starts_with(reason), "{outcome:?}");
    assert!(outcome.reason().contains("bin/release leaves that"), "{outcome:?}");
}
