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
    for left_out in ["META-INF/other/file.json", "META-INF/statedb/couchdb/indexes/README.md"] {
        let told = |line: &String| line.starts_with(&format!("{left_out} is left out"));
        assert!(outcome.lines.iter().any(told), "{outcome:?}");
    }
}

#[test]
fn chaincode_without_indexes_releases_nothing() {
    let sandbox = Sandbox::built();
    let outcome = release(&sandbox);
    assert_eq!((outcome.code, outcome.lines.len()), (0, 0));
    assert!(names(&sandbox.path("rel")).is_empty());
}

/// A peer without Selvedge logs that it cannot make such an index, and goes on.
#[test]
fn what_is_no_index_is_named_and_left_out() {
    let sandbox = Sandbox::built();
    let indexes = "META-INF/statedb/couchdb/indexes";
    for (name, content) in [
        ("deeper/owner.json", INDEX),
        ("owner.index", INDEX),
        ("._owner.json", "\u{0}\u{5}\u{16}\u{7}"),
        (".hidden.json", INDEX),
        ("empty.json", ""),
        ("half.json", "{\"index\":"),
        ("list.json", "[]"),
    ] {
        sandbox.write(&format!("out/{indexes}/{name}"), content);
    }
    let outcome = release(&sandbox);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let mut lines = outcome.lines.clone();
    lines.sort();
    let left_out = |name, reason| format!("{indexes}/{name} is left out: {reason}");
    let no_object = "it is not a JSON object";
    assert_eq!(
        lines,
        [
            left_out("._owner.json", "it is hidden"),
            left_out(".hidden.json", "it is hidden"),
            left_out("empty.json", no_object),
            left_out("half.json", no_object),
            left_out("list.json", no_object),
        ]
    );
    assert_eq!(names(&sandbox.path("rel/statedb/couchdb/indexes")), ["deeper", "owner.index"]);
}

#[test]
fn thousands_of_useless_files_do_not_fill_the_log() {
    let sandbox = Sandbox::built();
    for number in 0..1000 {
        sandbox.write(&format!("out/META-INF/{number}.txt"), "");
    }
    let outcome = release(&sandbox);
    assert_eq!((outcome.code, outcome.lines.len()), (0, 11), "{outcome:?}");
    assert_eq!(outcome.reason(), "and 990 more files of META-INF are left out");
}

#[test]
fn a_missing_output_is_named() {
    let sandbox = Sandbox::new();
    let outcome = call("release", &[&sandbox.path("gone"), &sandbox.path("rel")]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.reason().contains("/gone: No such file"), "{outcome:?}");
}
