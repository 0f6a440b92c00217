//! The file as people read it, made of its types: whole, with its defaults, and as a page.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::builds::Builds;
use crate::chaincode::Chaincode;
use crate::file::{BackendKind, Health, Page};
use crate::local::has_meaning;
use crate::registry::Registry;
use crate::schema::{definition, resolved, schema};

/// How wide comments are.
const WIDTH: usize = 96;

/// A key, as the schema and the defaults have it.
struct Key<'a> {
    path: Vec<&'static str>,
    schema: &'static Value,
    default: Option<&'a Value>,
}

/// The whole file for a backend: each key that means something there, with its default and a
/// comment. A key without a default is commented out.
pub fn default_file(backend: BackendKind) -> String {
    let mut out = String::from(
        "# How Selvedge builds and runs chaincode: every key with its default.\n\
         # Leave out what stays as it is.\n",
    );
    for key in Key::all(&defaults(backend)) {
        key.write(backend, &mut out);
    }
    out
}

/// The page of the documentation that tells of every key.
pub fn reference() -> String {
    let mut out = String::from(
        "# The operator's file\n\n\
         Made from the types in `config/`: `selvedge config reference` prints it, and a test holds \
         that it is up to date.\n\n\
         Times are written as `90s`, `5m` or `1h 30m`, quantities as Kubernetes has them. An empty \
         value takes back what was said before.\n",
    );
    let defaults = defaults(BackendKind::default());
    for key in Key::all(&defaults) {
        key.tell(&mut out);
    }
    out
}

fn defaults(backend: BackendKind) -> Value {
    serde_json::json!({
        "apiVersion": "selvedge/v1",
        "backend": backend,
        "health": Health::default(),
        "page": Page::default(),
        "builds": Builds::default(),
        "registry": Registry::default(),
        "chaincode": Chaincode::default(),
        "overrides": [],
    })
}

impl<'a> Key<'a> {
    fn all(defaults: &'a Value) -> Vec<Self> {
        Self::of(&[], schema(), Some(defaults))
    }

    /// The keys of a map of ours.
    fn of(path: &[&'static str], schema: &'static Value, defaults: Option<&'a Value>) -> Vec<Self> {
        let properties = resolved(schema).and_then(|schema| schema.get("properties"));
        let properties = properties.and_then(Value::as_object).into_iter().flatten();
        let key = |(name, schema): (&'static String, _)| Self {
            path: path.iter().copied().chain([name.as_str()]).collect(),
            schema,
            default: defaults.and_then(|defaults| defaults.get(name)),
        };
        properties.map(key).collect()
    }

    /// The keys below, of a map of ours; Kubernetes tells of its own.
    fn below(&self) -> Vec<Self> {
        let is_ours = definition(self.schema).is_some_and(|name| !name.contains('.'));
        let is_map =
            self.schema.get("items").is_none() && self.path != ["chaincode", "podTemplate"];
        if is_ours && is_map { Self::of(&self.path, self.schema, self.default) } else { Vec::new() }
    }

    fn name(&self) -> &'static str {
        self.path.last().copied().unwrap_or_default()
    }

    fn description(&self) -> &'static str {
        let own = self.schema.get("description");
        let own = own.or_else(|| resolved(self.schema)?.get("description"));
        own.and_then(Value::as_str).unwrap_or_default()
    }

    /// Writes the key with a comment, as YAML.
    fn write(&self, backend: BackendKind, out: &mut String) {
        if !has_meaning(&self.path, backend) {
            return;
        }
        let indent = "  ".repeat(self.path.len() - 1);
        if self.path.len() == 1 {
            out.push('\n');
        }
        for line in wrapped(self.description(), WIDTH - indent.len()) {
            let _ = writeln!(out, "{indent}# {line}");
        }
        let name = self.name();
        let below = self.below();
        match self.default {
            None | Some(Value::Null) => {
                let _ = writeln!(out, "{indent}# {name}:");
            }
            Some(_) if !below.is_empty() => {
                let _ = writeln!(out, "{indent}{name}:");
                for key in below {
                    key.write(backend, out);
                }
            }
            Some(default) => {
                let _ = write!(out, "{indent}{name}:");
                write_value(default, self.path.len(), out);
            }
        }
    }

    /// Writes what the reference tells of the key, and of those below.
    fn tell(&self, out: &mut String) {
        let below = self.below();
        let heading = if self.path.len() == 1 { "##" } else { "###" };
        let path = self.path.join(".");
        let _ = write!(out, "\n{heading} `{path}`\n\n{}\n", self.description().trim());
        let kind = kind(self.schema);
        match self.default {
            _ if !below.is_empty() => {}
            Some(default) if !is_empty(default) => {
                let _ = write!(out, "\n*{kind}; default* `{default}`\n");
            }
            _ => {
                let _ = write!(out, "\n*{kind}*\n");
            }
        }
        if let Some(Value::Array(values)) = resolved(self.schema).and_then(|it| it.get("oneOf")) {
            out.push('\n');
            for value in values {
                let name = value.get("const").and_then(Value::as_str).unwrap_or_default();
                let what = value.get("description").and_then(Value::as_str).unwrap_or_default();
                let _ = writeln!(out, "- `{name}`: {what}");
            }
        }
        for key in below {
            key.tell(out);
        }
    }
}

/// What kind of value it is, in words.
fn kind(schema: &Value) -> String {
    if let Some(items) = schema.get("items") {
        return format!("a list, each {}", kind(items));
    }
    if let Some(name) = definition(schema).filter(|name| name.contains('.')) {
        let name = name.rsplit('.').next().unwrap_or(name);
        return format!("Kubernetes' `{name}`");
    }
    let Some(object) = resolved_anywhere(schema) else { return "a value".to_owned() };
    let named = |object: &Map<String, Value>| {
        object.get("type").and_then(Value::as_str).map(|kind| match kind {
            "object" => "a map".to_owned(),
            "array" => "a list".to_owned(),
            "string" => "a text".to_owned(),
            "integer" => "a whole number".to_owned(),
            "boolean" => "true or false".to_owned(),
            other => other.to_owned(),
        })
    };
    if object.contains_key("oneOf") {
        return "one of these".to_owned();
    }
    match (object.get("format").and_then(Value::as_str), object.get("additionalProperties")) {
        (Some("time-span" | "call-wait"), _) => "a time".to_owned(),
        (Some("size"), _) => "a size".to_owned(),
        (Some("network"), _) => "a network".to_owned(),
        (Some("socket-address"), _) => "an address and a port".to_owned(),
        (Some("registry-host"), _) => "a host and a port".to_owned(),
        (_, Some(values @ Value::Object(_))) => format!("a map by name, each {}", kind(values)),
        _ => named(object).unwrap_or_else(|| "a text or a map".to_owned()),
    }
}

fn resolved_anywhere(schema: &Value) -> Option<&Map<String, Value>> {
    match definition(schema) {
        Some(name) => self::schema().get("$defs")?.get(name)?.as_object(),
        None => schema.as_object(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(pairs) => pairs.is_empty(),
        _ => false,
    }
}

fn write_value(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(pairs) if !pairs.is_empty() => {
            out.push('\n');
            let indent = "  ".repeat(depth);
            for (key, value) in pairs {
                let _ = write!(out, "{indent}{key}:");
                write_value(value, depth + 1, out);
            }
        }
        Value::String(text) if is_plain(text) => {
            let _ = writeln!(out, " {text}");
        }
        // What is not plain is the same in JSON.
        other => {
            let _ = writeln!(out, " {other}");
        }
    }
}

/// Whether YAML takes a text without quotes for just that.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-:".contains(&byte))
        && !["true", "false", "null", "yes", "no"].contains(&text)
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, String::len);
        if line > 0 && line + 1 + word.len() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}
