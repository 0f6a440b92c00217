//! What a peer's operator fills in: the JSON of `CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG`.

use serde_json::{Map, Value};

use super::field_path::FieldPath;
use super::shown::kind_of;

/// The variable that says what the fields of a template stand for, as Fabric's own builder has it
/// (`ccaas_builder/cmd/build/main.go`).
pub const CONFIG_VARIABLE: &str = "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG";

/// The values of one peer.
#[derive(Clone)]
pub struct Values(Option<Map<String, Value>>);

/// The variable's text is of no use. Not the parser's words, which quote what they trip over: there
/// may be a key in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{CONFIG_VARIABLE} is not a JSON object, such as {{\"peername\":\"peer0\"}} (line {line}, \
     column {column}): it is set where the peer is started"
)]
pub struct InvalidValues {
    line: usize,
    column: usize,
}

/// Why a field cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueFault {
    /// The variable did not reach the builder, or has nothing in it.
    #[error(
        "wants `{{{{.{field}}}}}`, and {CONFIG_VARIABLE} is not set here: have the peer started with \
         {CONFIG_VARIABLE}='{example}', and list the variable in this builder's \
         propagateEnvironment in core.yaml, or it does not get here"
    )]
    Unset {
        /// The field.
        field: String,
        /// What the variable might be.
        example: String,
    },
    /// The variable says nothing of it.
    #[error(
        "wants `{{{{.{field}}}}}`, and {CONFIG_VARIABLE} has no `{field}`: have the peer started with \
         it in there, such as {CONFIG_VARIABLE}='{example}'"
    )]
    Missing {
        /// The field.
        field: String,
        /// What the variable might be.
        example: String,
    },
    /// What it says is nothing to put into a text.
    #[error(
        "wants `{{{{.{field}}}}}`, and {CONFIG_VARIABLE} has {found} there: it must be a text, a \
         number of up to six digits, or true or false"
    )]
    Kind {
        /// The field.
        field: String,
        /// What it is.
        found: &'static str,
    },
}

impl Values {
    /// Reads the variable's text. An empty one is as good as none.
    pub fn parse(text: &str) -> Result<Self, InvalidValues> {
        if text.is_empty() {
            return Ok(Self::none());
        }
        match serde_json::from_str(text) {
            Ok(values) => Ok(Self(values)),
            Err(error) => Err(InvalidValues { line: error.line(), column: error.column() }),
        }
    }

    /// Those of a peer without the variable.
    pub fn none() -> Self {
        Self(None)
    }

    /// What a field stands for.
    pub(super) fn text(&self, path: &FieldPath) -> Result<String, ValueFault> {
        let field = || path.to_string();
        let Some(values) = &self.0 else {
            return Err(ValueFault::Unset { field: field(), example: example(path) });
        };
        let (first, others) = path.names().split_first().expect("a field has a name");
        let found = others.iter().try_fold(values.get(first), |outer, name| match outer {
            Some(Value::Object(inner)) => Ok(inner.get(name)),
            None => Ok(None),
            Some(other) => Err(other),
        });
        match found {
            Ok(None) => Err(ValueFault::Missing { field: field(), example: example(path) }),
            Ok(Some(value)) => printed(value)
                .ok_or_else(|| ValueFault::Kind { field: field(), found: kind_of(value) }),
            Err(other) => Err(ValueFault::Kind { field: field(), found: kind_of(other) }),
        }
    }
}

/// A value as Go prints it: numbers are `float64` to it, which get an exponent from 1e6 on and below
/// 1e-4 (`strconv.FormatFloat` with the verb `g`). Nobody means those.
fn printed(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => {
            let number = number.as_f64()?;
            let plain = number == 0.0 || (1e-4..1e6).contains(&number.abs());
            plain.then(|| number.to_string())
        }
        // Go prints these too, as `<no value>`, `[a b]` and `map[a:b]`.
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// JSON that has the field.
fn example(path: &FieldPath) -> String {
    let value = Value::String("…".to_owned());
    let whole = path
        .names()
        .iter()
        .rev()
        .fold(value, |inner, name| Value::Object(Map::from_iter([(name.clone(), inner)])));
    whole.to_string()
}

#[cfg(test)]
mod tests {
    use super::super::template::Template;
    use super::*;

    fn fill(values: &str, field: &str) -> Result<String, ValueFault> {
        let template = Template::parse(&format!("{{{{.{field}}}}}")).unwrap();
        template.filled(&Values::parse(values).unwrap())
    }

    /// Each tried with Go 1.26, which reads the JSON into a `map[string]interface{}`.
    #[test]
    fn values_are_printed_as_go_prints_them() {
        for (json, text) in [
            (r#""9999""#, "9999"),
            (r#""""#, ""),
            (r#""a\n\"<&""#, "a\n\"<&"),
            ("9999", "9999"),
            ("999999", "999999"),
            ("9999.0", "9999"),
            ("1e3", "1000"),
            ("-0.5", "-0.5"),
            ("0.0001", "0.0001"),
            ("0", "0"),
            ("false", "false"),
        ] {
            assert_eq!(fill(&format!(r#"{{"a":{json}}}"#), "a").unwrap(), text, "{json}");
        }
        assert_eq!(fill(r#"{"a":"first","a":"last","A":"other"}"#, "a").unwrap(), "last");
        assert_eq!(fill(r#"{"a":{"b":{"c":"deep"}}}"#, "a.b.c").unwrap(), "deep");
    }

    #[test]
    fn what_is_no_value_is_named() {
        for (json, found) in [
            ("null", "null"),
            ("[1]", "an array"),
            (r#"{"b":1}"#, "an object"),
            ("1000000", "a number"),
            ("0.00001", "a number"),
        ] {
            let told = fill(&format!(r#"{{"a":{json}}}"#), "a").unwrap_err().to_string();
            let expected = format!("wants `{{{{.a}}}}`, and {CONFIG_VARIABLE} has {found} there: ");
            assert!(told.starts_with(&expected), "{told}");
        }
        let told = fill(r#"{"a":"secret"}"#, "a.b").unwrap_err().to_string();
        assert!(told.contains("`{{.a.b}}`") && told.contains("has a text there"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }

    #[test]
    fn what_is_missing_is_named_with_what_to_set() {
        for nothing in ["", "null"] {
            let told = fill(nothing, "peer.name").unwrap_err().to_string();
            assert!(told.starts_with("wants `{{.peer.name}}`, and CHAINCODE_AS_A_SERV"), "{told}");
            assert!(told.contains(r#"='{"peer":{"name":"…"}}'"#), "{told}");
            assert!(told.contains("propagateEnvironment in core.yaml"), "{told}");
        }
        for (json, field) in [("{}", "a"), (r#"{"A":"x"}"#, "a"), (r#"{"a":{}}"#, "a.b")] {
            let told = fill(json, field).unwrap_err().to_string();
            assert!(told.contains(&format!("CONFIG has no `{field}`: ")), "{told}");
        }
    }

    #[test]
    fn a_variable_that_is_no_object_is_told_without_its_content() {
        for text in ["{", "[]", r#""secret""#, "secret", r#"{"a":"secret"} x"#] {
            let told = Values::parse(text).err().unwrap().to_string();
            assert!(
                told.starts_with("CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG is not a JS"),
                "{told}"
            );
            assert!(!told.contains("secret"), "{told}");
        }
    }
}
