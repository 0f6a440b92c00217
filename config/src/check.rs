//! Holds a text's values against the schema, and finds every fault with its place.

use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::LocationSegment;
use jsonschema::{ValidationError, Validator};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::Value;

use crate::document::{Content, Node};
use crate::execution::Wait;
use crate::fault::{Fault, path_of};
use crate::overlaying::without_nulls;
use crate::{amount, schema, span};

/// How alike a known word must be to be offered: of two words that share nothing, the measure is 0,
/// of the same two 1.
const ALIKE: f64 = 0.7;

/// What a namespace that is none should have been.
pub const NAMESPACE: &str = "a namespace: lower-case letters, digits and dashes, 63 at most";

/// All that the schema finds wrong, and all doubled keys.
pub(crate) fn check(root: &Node) -> Vec<Fault> {
    let mut faults = Vec::new();
    doubled(root, &mut Vec::new(), &mut faults);
    // A key that is doubled within is told, and the last one looked at.
    let value = without_nulls(root).value();
    for error in validator().iter_errors(&value) {
        tell(root, &error, &mut faults);
    }
    faults
}

fn validator() -> &'static Validator {
    static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
        jsonschema::draft202012::options()
            .should_validate_formats(true)
            .with_format("quantity", |text| amount::amount(&Quantity(text.into())).is_some())
            .with_format(span::FORMAT, |text| span::Span::parse(text).is_ok())
            .with_format(Wait::FORMAT, |text| Wait::parse(text).is_ok())
            .with_format("size", |text| text.parse::<bytesize::ByteSize>().is_ok())
            .with_format("network", |text| text.parse::<ipnet::IpNet>().is_ok())
            .with_format("socket-address", |text| text.parse::<std::net::SocketAddr>().is_ok())
            .with_format("namespace", is_namespace)
            .with_format("repository", is_repository)
            .with_format("registry-host", is_host_and_port)
            .build(schema::schema())
            .expect("the schema is one")
    });
    &VALIDATOR
}

fn doubled(node: &Node, path: &mut Vec<String>, faults: &mut Vec<Fault>) {
    for (index, item) in node.items().iter().enumerate() {
        path.push(index.to_string());
        doubled(item, path, faults);
        path.pop();
    }
    for (index, entry) in node.entries().iter().enumerate() {
        path.push(entry.key.clone());
        let earlier = node.entries()[..index].iter().find(|earlier| earlier.key == entry.key);
        if let Some(place) = earlier.and_then(|earlier| earlier.place) {
            faults.push(Fault {
                place: entry.place,
                path: path_of(path.iter().map(String::as_str)),
                message: format!("the key is there already, in line {}; keep one", place.line),
            });
        }
        doubled(&entry.value, path, faults);
        path.pop();
    }
}

fn tell(root: &Node, error: &ValidationError<'_>, faults: &mut Vec<Fault>) {
    let segments: Vec<String> = error.instance_path().iter().map(segment).collect();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let map = path.iter().try_fold(root, |node, segment| node.child(segment));
            for key in unexpected {
                let entry = map.and_then(|map| map.entry(key));
                faults.push(Fault {
                    place: entry.and_then(|entry| entry.place),
                    path: path_of(path.iter().copied().chain([key.as_str()])),
                    message: unknown(key, &path),
                });
            }
        }
        // Of the kinds that a value may have, the one that it has tells what is wrong with it.
        ValidationErrorKind::AnyOf { context } => {
            let is_of_another = |error: &ValidationError<'_>| {
                matches!(error.kind(), ValidationErrorKind::Type { .. })
            };
            let meant = context.iter().find(|errors| !errors.iter().any(is_of_another));
            if let Some(errors) = meant {
                for error in errors {
                    tell(root, error, faults);
                }
            } else {
                let found = described(error.instance());
                let message =
                    format!("expected a text, which wants quotes, or a map, found {found}");
                faults.push(fault(root, &path, message));
            }
        }
        kind => faults.push(fault(root, &path, message(kind, error))),
    }
}

fn fault(root: &Node, path: &[&str], message: String) -> Fault {
    let place = root.place_of(path.iter().copied());
    Fault { place, path: path_of(path.iter().copied()), message }
}

fn segment(segment: LocationSegment<'_>) -> String {
    match segment {
        LocationSegment::Property(name) => name.to_string(),
        LocationSegment::Index(index) => index.to_string(),
    }
}

fn message(kind: &ValidationErrorKind, error: &ValidationError<'_>) -> String {
    let found = error.instance();
    match kind {
        ValidationErrorKind::Type { kind } => {
            format!("expected {}, found {}", expected(kind), described(found))
        }
        ValidationErrorKind::Enum { options } => {
            let known = options.as_array().into_iter().flatten();
            not_one_of(found, &known.filter_map(Value::as_str).collect::<Vec<_>>())
        }
        // Words that have an explanation each.
        ValidationErrorKind::OneOfNotValid { .. } => {
            let path: Vec<String> = error.instance_path().iter().map(segment).collect();
            let schema = schema::at(&path).and_then(|schema| schema.get("oneOf"));
            let words = schema.and_then(Value::as_array).into_iter().flatten();
            let words = words.filter_map(|word| word.get("const")?.as_str());
            not_one_of(found, &words.collect::<Vec<_>>())
        }
        ValidationErrorKind::Constant { expected_value } => {
            format!("expected {}, found {}", described(expected_value), described(found))
        }
        ValidationErrorKind::Format { format } => {
            format!("expected {}, found {}", in_format(format), described(found))
        }
        ValidationErrorKind::Pattern { pattern } => {
            format!("{} does not fit the pattern {pattern}", described(found))
        }
        ValidationErrorKind::Required { property } => {
            format!("the key `{}` is missing", property.as_str().unwrap_or_default())
        }
        ValidationErrorKind::Minimum { limit } => format!("must be at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("must be at most {limit}"),
        ValidationErrorKind::MinLength { .. } => "must not be empty".to_owned(),
        ValidationErrorKind::MinProperties { .. } => {
            let known = schema::at(&["overrides", "0", "match"]).map(keys).unwrap_or_default();
            format!("must say something: one of {} at least", listed(&known))
        }
        ValidationErrorKind::UniqueItems => "has the same item more than once".to_owned(),
        _ => error.to_string(),
    }
}

fn not_one_of(found: &Value, known: &[&str]) -> String {
    let offer = found.as_str().map(|word| offer(word, known)).unwrap_or_default();
    format!("{} is not known{offer}; known are {}", described(found), listed(known))
}

fn unknown(key: &str, path: &[&str]) -> String {
    let known = schema::at(path).map(keys).unwrap_or_default();
    match offer(key, &known) {
        offer if offer.is_empty() => format!("unknown key; known are {}", listed(&known)),
        offer => format!("unknown key{offer}"),
    }
}

fn keys(schema: &'static serde_json::Map<String, Value>) -> Vec<&'static str> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(|properties| properties.keys()).map(String::as_str).collect()
}

/// What may have been meant, as a part of a sentence; empty if nothing is like it.
pub(crate) fn offer(word: &str, known: &[&str]) -> String {
    let likeness = |known: &&str| strsim::jaro_winkler(&word.to_lowercase(), &known.to_lowercase());
    let alike = known.iter().map(|known| (likeness(known), *known));
    match alike.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
        Some((likeness, known)) if likeness >= ALIKE => format!("; did you mean `{known}`?"),
        _ => String::new(),
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn expected(kind: &TypeKind) -> String {
    let name = |kind: &str| match kind {
        "object" => "a map",
        "array" => "a list",
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "nothing",
    };
    match kind {
        TypeKind::Single(kind) => name(&kind.to_string()).to_owned(),
        TypeKind::Multiple(kinds) => {
            let names: Vec<_> = kinds.iter().map(|kind| name(&kind.to_string())).collect();
            names.join(" or ")
        }
    }
}

fn in_format(format: &str) -> &'static str {
    match format {
        "quantity" => amount::EXPECTED,
        span::FORMAT => "a time such as 90s, 5m or 1h 30m",
        Wait::FORMAT => "a time such as 1500ms or 4s, 10s at most",
        "size" => "a size such as 500MiB or 10GiB",
        "network" => "a network such as 10.0.0.0/8",
        "socket-address" => "an address and a port such as 0.0.0.0:8087",
        "namespace" => NAMESPACE,
        "repository" => "a registry and a path, such as registry.example.com:5000/fabric",
        "registry-host" => "a host and a port, such as localhost:30500",
        _ => "another text",
    }
}

/// Whether a namespace can be called so (RFC 1123).
pub fn is_namespace(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// By the grammar of references (`github.com/distribution/reference`), without tag and digest.
fn is_repository(text: &str) -> bool {
    let Some((host, path)) = text.split_once('/') else { return false };
    let (name, port) = host.split_once(':').unwrap_or((host, "1"));
    let inner =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(inner) && !text.starts_with(['.', '-', '_'])
    };
    is_name(name) && port.parse::<u16>().is_ok() && path.split('/').all(is_name)
}

/// A host and a port, as the first part of an image's name has them (`HOST:PORT`). Without a port the
/// name would be one of another registry, or none.
fn is_host_and_port(text: &str) -> bool {
    text.contains(':') && !text.contains('/') && is_repository(&format!("{text}/any"))
}

/// A value as a reader knows it again, cut short.
fn described(value: &Value) -> String {
    const LONGEST: usize = 60;
    match value {
        Value::Object(_) => "a map".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) if text.chars().count() > LONGEST => {
            format!("\"{}…\"", text.chars().take(LONGEST).collect::<String>())
        }
        other => other.to_string(),
    }
}

/// Whether a tree is a map at all.
pub(crate) fn is_map(node: &Node) -> bool {
    matches!(node.content, Content::Map(_))
}
