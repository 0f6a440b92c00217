//! The shape of a pod template, as the API's own schema has it, and what is not of that shape.

use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError, Validator};
use schemars::Schema;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::{Map, Value, json};

use super::fault::Fault;
use super::merge::{PATCH, RETAIN_KEYS};
use crate::path::{Path, Step};

/// The schema of the API's type, written by a test. Making it takes code for each type in it.
const POD_TEMPLATE: &str = include_str!("pod-template.json");

/// A whole template: it has every field that the API demands.
static WHOLE: LazyLock<Shape> = LazyLock::new(|| Shape::new(strict));

/// A patch of one: it has any of its fields, and what the merge is told.
static PATCHED: LazyLock<Shape> = LazyLock::new(|| {
    Shape::new(|schema| {
        strict(schema);
        patchable(schema);
    })
});

/// The API's type of amounts.
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";

/// Quantities, as `k8s.io/apimachinery/pkg/api/resource` parses them.
const QUANTITIES: &str = r"^[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$";

struct Shape {
    schema: Value,
    validator: Validator,
}

/// What a patch has that no patch of a template has.
pub(super) fn faults_of_patch(patch: &Value) -> Vec<Fault> {
    PATCHED.faults(patch)
}

/// What a template lacks, or has that none has.
pub(super) fn faults_of_whole(template: &Value) -> Vec<Fault> {
    WHOLE.faults(template)
}

impl Shape {
    fn new(change: fn(&mut Schema)) -> Self {
        let mut schema: Schema = serde_json::from_str(POD_TEMPLATE).expect("a test has written it");
        RecursiveTransform(change).transform(&mut schema);
        let schema = schema.to_value();
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .build(&schema)
            .expect("the schema of an API type is one");
        Self { schema, validator }
    }

    fn faults(&self, value: &Value) -> Vec<Fault> {
        let errors = self.validator.iter_errors(value);
        // A null that is none of a field is told by who knows what null means.
        let errors = errors.filter(|error| !error.instance().is_null());
        errors.flat_map(|error| self.read(value, &error)).collect()
    }

    fn read(&self, whole: &Value, error: &ValidationError<'_>) -> Vec<Fault> {
        let path = path(whole, error.instance_path().as_str());
        let at = |key: &str, reason: String| Fault { path: path.key(key), reason };
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known = self.known(error);
                // What is no directive is told by who knows those.
                let unknown = unexpected.iter().filter(|key| !key.starts_with('$'));
                unknown.map(|key| at(key, unknown_field(key, &known))).collect()
            }
            ValidationErrorKind::Required { property } => {
                vec![at(property.as_str().unwrap_or_default(), "missing".into())]
            }
            kind => vec![Fault { path, reason: reason(kind, error.instance(), error) }],
        }
    }

    /// The fields that there are where an unknown one was found.
    fn known(&self, error: &ValidationError<'_>) -> Vec<&str> {
        let keyword = error.schema_path().as_str();
        let schema = keyword.rsplit_once('/').map_or("", |(schema, _)| schema);
        let fields =
            self.schema.pointer(&format!("{schema}/properties")).and_then(Value::as_object);
        fields.into_iter().flat_map(Map::keys).map(String::as_str).collect()
    }
}

fn unknown_field(key: &str, known: &[&str]) -> String {
    let similar = |field: &&&str| strsim::jaro_winkler(field, key);
    let closest = known.iter().max_by(|one, other| similar(one).total_cmp(&similar(other)));
    match closest.filter(|field| similar(field) > 0.8) {
        Some(field) => format!("unknown field; did you mean `{field}`?"),
        None => "unknown field".into(),
    }
}

fn reason(kind: &ValidationErrorKind, found: &Value, error: &ValidationError<'_>) -> String {
    match kind {
        ValidationErrorKind::Type { kind } => wrong_type(kind, found),
        ValidationErrorKind::Enum { options } => format!("{found} is none of {options}"),
        ValidationErrorKind::Pattern { .. } => {
            format!("{found} is no quantity; one is written like `500m` or `64Mi`")
        }
        ValidationErrorKind::Minimum { .. } | ValidationErrorKind::Maximum { .. } => {
            format!("{found} does not fit into 32 bits")
        }
        ValidationErrorKind::Format { format } => format!("{found} is no {format}"),
        _ => error.to_string(),
    }
}

fn wrong_type(expected: &TypeKind, found: &Value) -> String {
    let expected: Vec<_> = match expected {
        TypeKind::Single(one) => vec![*one],
        TypeKind::Multiple(all) => all.iter().filter(|one| *one != JsonType::Null).collect(),
    };
    let names: Vec<_> = expected.iter().map(|one| name(*one)).collect();
    let quotes = expected == [JsonType::String] && (found.is_number() || found.is_boolean());
    let hint = if quotes { "; put it in quotes" } else { "" };
    let found = match found {
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a map".into(),
        scalar => scalar.to_string(),
    };
    format!("{found} is not {}{hint}", names.join(" or "))
}

/// A type, as those who write YAML call it.
fn name(one: JsonType) -> &'static str {
    match one {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "an integer",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "a map",
        JsonType::String => "a string",
    }
}

/// The path that a JSON pointer is to. Whether a number is a key, only the value knows.
fn path(whole: &Value, pointer: &str) -> Path {
    let mut at = Some(whole);
    let steps = pointer.split('/').skip(1).map(|token| {
        let token = token.replace("~1", "/").replace("~0", "~");
        let index = token.parse().ok().filter(|_| at.is_some_and(Value::is_array));
        let step = index.map_or_else(|| Step::Key(token.clone()), Step::Index);
        at = at.and_then(|value| match &step {
            Step::Index(index) => value.get(*index),
            _ => value.get(&token),
        });
        step
    });
    steps.collect()
}

/// What the API server would not take: fields that are not there, numbers that do not fit, and
/// quantities that are none. Its schema leaves these to it.
fn strict(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.contains_key("properties") && !object.contains_key("additionalProperties") {
        object.insert("additionalProperties".into(), false.into());
    }
    if object.get("format").is_some_and(|format| format == "int32") {
        object.insert("minimum".into(), i32::MIN.into());
        object.insert("maximum".into(), i32::MAX.into());
    }
    if let Some(quantity) = object.get_mut("$defs").and_then(|types| types.get_mut(QUANTITY)) {
        *quantity = json!({ "type": ["string", "number"], "pattern": QUANTITIES });
    }
    if object.remove("x-kubernetes-int-or-string").is_some() {
        object.insert("type".into(), json!(["integer", "string"]));
    }
}

/// What a patch may do besides: leave anything out, take it away, and say how it is merged.
fn patchable(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    object.remove("required");
    let is_map = ["properties", "additionalProperties"].iter().any(|key| object.contains_key(*key));
    if is_map && let Some(fields) = object.entry("properties").or_insert(json!({})).as_object_mut()
    {
        fields.insert(PATCH.into(), json!({ "enum": ["replace", "delete"] }));
        fields
            .insert(RETAIN_KEYS.into(), json!({ "type": "array", "items": { "type": "string" } }));
    }
    for (name, below) in object.iter_mut() {
        match (name.as_str(), below) {
            ("properties" | "$defs", Value::Object(fields)) => {
                let fields = fields.iter_mut().filter(|(name, _)| !name.starts_with('$'));
                fields.for_each(|(_, field)| nullable(field));
            }
            ("additionalProperties", values) => nullable(values),
            _ => {}
        }
    }
}

fn nullable(schema: &mut Value) {
    let Some(types) = schema.get_mut("type") else { return };
    *types = match types.take() {
        Value::Array(mut types) => {
            types.extend((!types.contains(&json!("null"))).then(|| json!("null")));
            types.into()
        }
        single => json!([single, "null"]),
    };
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::PodTemplateSpec;
    use schemars::generate::SchemaSettings;

    #[test]
    fn golden_pod_template() {
        let generator = SchemaSettings::draft2020_12().into_generator();
        let mut schema = generator.into_root_schema_for::<PodTemplateSpec>().to_value();
        schema.sort_all_objects();
        golden::golden_text("src/overlay/pod-template.json", &format!("{schema:#}\n"));
    }
}
