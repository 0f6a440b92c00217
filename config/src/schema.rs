//! The file's JSON Schema: made of the types, for editors as well as for the launcher.

use std::sync::LazyLock;

use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Map, Value, json};

use crate::file::File;

/// The schema of the file, by JSON Schema 2020-12: what [`schema_of_types`] made of the types when
/// they were changed last. Making it takes code for each of Kubernetes' types, which no
/// launcher needs to have in it.
pub fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        serde_json::from_str(include_str!("../schema.json")).expect("a test has written it")
    });
    &SCHEMA
}

/// The schema as the types are now.
pub fn schema_of_types() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(Strict);
    let mut schema = SchemaGenerator::new(settings).into_root_schema_for::<File>().to_value();
    // The same text whatever else is compiled along.
    schema.sort_all_objects();
    schema
}

/// Takes nothing that it does not know: Kubernetes' own types say nothing of other keys, and a key
/// that is there is not to be empty.
#[derive(Clone, Debug)]
struct Strict;

impl Transform for Strict {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(object) = schema.as_object_mut() {
            no_null(object);
            no_other_key(object);
            quantity(object);
        }
        transform_subschemas(self, schema);
    }
}

/// An optional key is one that may be left out.
fn no_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get("type")
        && let [only] = types.iter().filter(|name| **name != "null").collect::<Vec<_>>()[..]
    {
        let only = only.clone();
        object.insert("type".into(), only);
    }
    if let Some(Value::Array(branches)) = object.get("anyOf")
        && let [Value::Object(only)] = &branches
            .iter()
            .filter(|branch| **branch != json!({"type": "null"}))
            .collect::<Vec<_>>()[..]
    {
        let only = (*only).clone();
        object.remove("anyOf");
        object.extend(only);
    }
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
}

fn no_other_key(object: &mut Map<String, Value>) {
    if object.contains_key("properties") {
        object.entry("additionalProperties").or_insert(Value::Bool(false));
    }
}

/// Kubernetes' schema says of a quantity that it is anything.
fn quantity(object: &mut Map<String, Value>) {
    let is_quantity = object.get("description").and_then(Value::as_str).is_some_and(|text| {
        text.starts_with("Quantity is a fixed-point representation of a number.")
    });
    if is_quantity {
        object.insert("type".into(), json!(["string", "number"]));
        object.insert("format".into(), json!("quantity"));
        object.insert("minimum".into(), json!(0));
        object
            .insert("description".into(), json!("A number with a unit, such as `500m` or `64Mi`."));
    }
}

/// What the schema says of the value at a path of the file, its references followed; of a value
/// that may be of several kinds, of the one that has keys.
pub(crate) fn at(path: &[impl AsRef<str>]) -> Option<&'static Map<String, Value>> {
    let mut schema = resolved(schema())?;
    for segment in path {
        let next = schema
            .get("properties")
            .and_then(|properties| properties.get(segment.as_ref()))
            .or_else(|| schema.get("items"))
            .or_else(|| schema.get("additionalProperties"))?;
        schema = resolved(next)?;
    }
    Some(schema)
}

/// The name of the definition that a schema refers to, or its items do.
pub(crate) fn definition(schema: &Value) -> Option<&str> {
    if let Some(items) = schema.get("items") {
        return definition(items);
    }
    schema.get("$ref")?.as_str()?.rsplit('/').next()
}

/// The schema that is referred to, or chosen.
pub(crate) fn resolved(schema: &'static Value) -> Option<&'static Map<String, Value>> {
    let object = schema.as_object()?;
    if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
        return resolved(self::schema().pointer(reference.strip_prefix('#')?)?);
    }
    if let Some(Value::Array(branches)) = object.get("anyOf") {
        let mut branches = branches.iter().filter_map(resolved);
        return branches.find(|branch| branch.contains_key("properties"));
    }
    Some(object)
}
