//! What the demo calls, in the order in which it was typed.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::ArgMatches;
use serde_json::Value;

/// A call of the chaincode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub(super) kind: Kind,
    /// Function and arguments, in the peer CLI's form.
    pub(super) ctor: String,
    /// What stays off the ledger, in the peer CLI's form.
    pub(super) transient: Option<String>,
}

/// How a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A transaction, and the first of a chaincode whose definition requires one.
    Init,
    /// A transaction.
    Submit,
    /// An evaluation on one peer.
    Query,
}

impl Call {
    fn new(kind: Kind, ctor: String) -> Self {
        Self { kind, ctor, transient: None }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Init => "init",
            Kind::Submit => "submit",
            Kind::Query => "query",
        };
        write!(f, "{kind} {}", self.ctor)
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

/// Checks that `text` is an object of texts in base64.
pub(super) fn transient(text: &str) -> Result<String, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let is_base64 =
        |value: &Value| value.as_str().is_some_and(|text| BASE64_STANDARD.decode(text).is_ok());
    if value.as_object().is_some_and(|fields| fields.values().all(is_base64)) {
        return Ok(text.to_owned());
    }
    Err(r#"not of the form {"name":"value in base64"}"#.to_owned())
}

/// The calls of the command line, or the default for our own chaincode.
pub fn in_order(typed: &ArgMatches) -> Result<Vec<Call>, clap::Error> {
    let mut typed_calls: Vec<(usize, Call)> =
        [("init", Kind::Init), ("call", Kind::Submit), ("query", Kind::Query)]
            .into_iter()
            .flat_map(|(name, kind)| {
                texts(typed, name).map(move |(index, ctor)| (index, Call::new(kind, ctor)))
            })
            .collect();
    typed_calls.sort_by_key(|(index, call)| (call.kind != Kind::Init, *index));
    for (index, transient) in texts(typed, "transient") {
        let before = typed_calls.iter_mut().filter(|(call, _)| *call < index);
        let (_, call) =
            before.max_by_key(|(call, _)| *call).ok_or_else(|| misplaced(&transient))?;
        if call.transient.replace(transient.clone()).is_some() {
            return Err(misplaced(&transient));
        }
    }
    if typed_calls.is_empty() {
        return Ok([
            (Kind::Submit, r#"{"Args":["Put","greeting","woven"]}"#),
            (Kind::Query, r#"{"Args":["Get","greeting"]}"#),
        ]
        .map(|(kind, ctor)| Call::new(kind, ctor.to_owned()))
        .into());
    }
    Ok(typed_calls.into_iter().map(|(_, call)| call).collect())
}

fn texts(typed: &ArgMatches, name: &str) -> impl Iterator<Item = (usize, String)> {
    let indices = typed.indices_of(name).into_iter().flatten();
    indices.zip(typed.get_many::<String>(name).into_iter().flatten().cloned())
}

fn misplaced(transient: &str) -> clap::Error {
    let told = format!("--transient {transient} belongs behind one call, which has no other\n");
    clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Args;

    fn parse(arguments: &[&str]) -> Result<Vec<Call>, String> {
        crate::demo::Demo::augment_args(clap::Command::new("demo").no_binary_name(true))
            .try_get_matches_from(arguments)
            .and_then(|typed| in_order(&typed))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn calls_and_queries_keep_their_order() {
        let [a, b, c] = ["a", "b", "c"].map(|name| format!(r#"{{"Args":["{name}"]}}"#));
        let calls = parse(&["--query", &a, "--call", &b, "--query", &c]).unwrap();
        let expected = [(Kind::Query, a), (Kind::Submit, b), (Kind::Query, c)];
        assert_eq!(calls, expected.map(|(kind, ctor)| Call::new(kind, ctor)));
    }

    #[test]
    fn an_init_comes_first_and_transient_data_goes_with_the_call_before_it() {
        let [a, b] = ["a", "b"].map(|name| format!(r#"{{"Args":["{name}"]}}"#));
        let [one, two] = ["b25l", "dHdv"].map(|value| format!(r#"{{"value":"{value}"}}"#));
        let typed =
            ["--call", &a, "--transient", &one, "--init", &b, "--transient", &two, "--query", &a];
        let calls = parse(&typed).unwrap();
        let call = |kind, ctor: &str, transient: Option<&String>| Call {
            kind,
            ctor: ctor.to_owned(),
            transient: transient.cloned(),
        };
        let expected = [
            call(Kind::Init, &b, Some(&two)),
            call(Kind::Submit, &a, Some(&one)),
            call(Kind::Query, &a, None),
        ];
        assert_eq!(calls, expected);
        for misplaced in [
            &["--transient", &one, "--call", &a][..],
            &["--call", &a, "--transient", &one, "--transient", &two],
        ] {
            let error = parse(misplaced).unwrap_err();
            assert!(error.contains("belongs behind one call"), "{error}");
        }
        for text in ["[]", r#"{"value":1}"#, r#"{"value":"not base64"}"#] {
            let error = parse(&["--call", &a, "--transient", text]).unwrap_err();
            assert!(error.contains("value in base64"), "{error}");
        }
    }

    #[test]
    fn without_any_our_own_chaincode_is_written_and_read() {
        let calls = parse(&[]).unwrap();
        assert_eq!(
            calls.iter().map(|call| call.kind).collect::<Vec<_>>(),
            [Kind::Submit, Kind::Query]
        );
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
