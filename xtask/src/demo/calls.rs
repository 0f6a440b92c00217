//! What the demo calls, in the order in which it was typed.

use std::fmt;

use clap::ArgMatches;
use serde_json::Value;

/// A call of the chaincode, in the peer CLI's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// A transaction.
    Submit(String),
    /// An evaluation on one peer.
    Query(String),
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submit(ctor) => write!(f, "submit {ctor}"),
            Self::Query(ctor) => write!(f, "query {ctor}"),
        }
    }
}

/// Checks that `text` is an object with an array of strings as `Args`.
pub(super) fn ctor(text: &str) -> Result<String, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let arguments = value.get("Args").and_then(Value::as_array);
    if arguments.is_some_and(|arguments| arguments.iter().all(Value::is_string)) {
        return Ok(text.to_owned());
    }
    Err(r#"not of the form {"Args":["Function","argument"]}"#.to_owned())
}

/// The `--call` and `--query` of the command line, or the default for our own chaincode.
pub(super) fn in_order(typed: &ArgMatches) -> Vec<Call> {
    let mut calls = of_kind(typed, "call", Call::Submit);
    calls.extend(of_kind(typed, "query", Call::Query));
    calls.sort_by_key(|(index, _)| *index);
    if calls.is_empty() {
        return vec![
            Call::Submit(r#"{"Args":["Put","greeting","woven"]}"#.to_owned()),
            Call::Query(r#"{"Args":["Get","greeting"]}"#.to_owned()),
        ];
    }
    calls.into_iter().map(|(_, call)| call).collect()
}

fn of_kind(typed: &ArgMatches, name: &str, kind: fn(String) -> Call) -> Vec<(usize, Call)> {
    let indices = typed.indices_of(name).into_iter().flatten();
    let ctors = typed.get_many::<String>(name).into_iter().flatten();
    indices.zip(ctors.cloned().map(kind)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Args;

    fn parse(arguments: &[&str]) -> Result<Vec<Call>, String> {
        crate::demo::Demo::augment_args(clap::Command::new("demo").no_binary_name(true))
            .try_get_matches_from(arguments)
            .map(|typed| in_order(&typed))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn calls_and_queries_keep_their_order() {
        let [a, b, c] = ["a", "b", "c"].map(|name| format!(r#"{{"Args":["{name}"]}}"#));
        let calls = parse(&["--query", &a, "--call", &b, "--query", &c]).unwrap();
        assert_eq!(calls, [Call::Query(a), Call::Submit(b), Call::Query(c)]);
    }

    #[test]
    fn without_any_our_own_chaincode_is_written_and_read() {
        let calls = parse(&[]).unwrap();
        assert!(matches!(&calls[..], [Call::Submit(_), Call::Query(_)]));
    }

    #[test]
    fn a_chaincode_of_the_callers_needs_a_call() {
        let error = parse(&["--chaincode", "asset"]).unwrap_err();
        assert!(error.contains("--call <JSON>"), "{error}");
    }

    #[test]
    fn what_is_no_call_is_refused_with_the_form() {
        for text in ["{", "[]", r#"{"Args":"Get"}"#, r#"{"Args":[1]}"#] {
            let error = parse(&["--call", text]).unwrap_err();
            assert!(error.contains("--call <JSON>"), "{error}");
        }
    }
}
