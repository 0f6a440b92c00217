//! `release`: the indexes and nothing else.

use crate::{
    executable::{Outcome, call, names},
    sandbox::Sandbox,
};

const INDEX: &str = r#"{"index":{"fields":["owner"]},"ddoc":"d","name":"n","type":"json"}"#;

fn release(sandbox: &Sandbox) -> Outcome {
    call("release", &[&sandbox.path("out"), &sandbox.path("rel")])
}

#[test]
fn indexes_go_to_where_the_ledger_looks() {
    let sandbox = Sandbox::built();
    let of_state = "statedb/couchdb/indexes/owner.json";
    let of_collection = "statedb/couchdb/collections/secrets/indexes/price.json";
    for index in [of_state, of_collection] {
        sandbox.write(&format!("out/META-INF/{index}"), INDEX);
    }
    sandbox.write("out/META-INF/other/file.json", "{}");
    sandbox.write("out/META-INF/statedb/couchdb/indexes/README.md", "about");
    let outcome = release(&sandbox);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for index in [of_state, of_collection] {
        assert_eq!(sandbox.read(&format!("rel/{index}")), INDEX.as_bytes());
    }
    assert_eq!(names(&sandbox.path("rel")), ["statedb"]);
    assert_eq!(names(&sandbox.path("rel/statedb/couchdb/indexes")), ["owner.json"]);
    assert!(outcome.reason().contains("indexes/README.md is left out"), "{outcome:?}");
}

#[test]
fn chaincode_without_indexes_releases_nothing() {
    let sandbox = Sandbox::built();
    let outcome = release(&sandbox);
    assert_eq!((outcome.code, outcome.lines.len()), (0, 0));
    assert!(names(&sandbox.path("rel")).is_empty());
}

#[test]
fn an_index_that_is_no_json_is_named_and_nothing_is_released() {
    for content in ["", "{\"index\":", "[]", "no"] {
        let sandbox = Sandbox::built();
        sandbox.write("out/META-INF/statedb/couchdb/indexes/a.json", INDEX);
        sandbox.write("out/META-INF/statedb/couchdb/indexes/b.json", content);
        let outcome = release(&sandbox);
        assert_eq!(outcome.code, 1);
        assert!(outcome.reason().contains("couchdb/indexes/b.json is malformed: "), "{outcome:?}");
        assert!(names(&sandbox.path("rel")).is_empty());
    }
}

#[test]
fn a_missing_output_is_named() {
    let sandbox = Sandbox::new();
    let outcome = call("release", &[&sandbox.path("gone"), &sandbox.path("rel")]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.reason().contains("/gone: No such file"), "{outcome:?}");
}
