//! The schema of an overlay for pods' template.

use std::borrow::Cow;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// Where a schema keeps what it refers to.
const DEFINITIONS: &str = "$defs";

/// The schema of a pod's template of which only a part is given, with the directives of a strategic
/// merge patch (<https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/>).
pub(crate) struct PodTemplateOverlay;

impl JsonSchema for PodTemplateOverlay {
    fn schema_name() -> Cow<'static, str> {
        "PodTemplateOverlay".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.meta_schema = None;
            let name = Self::schema_name();
            // Its parts are others than those of whole objects, and have a room of their own.
            settings.definitions_path = format!("/{DEFINITIONS}/{name}/{DEFINITIONS}").into();
        });
        let settings = settings.with_transform(Partial);
        let mut schema = SchemaGenerator::new(settings).into_root_schema_for::<PodTemplateSpec>();
        // The generator takes itself for the root, and has put its parts where they are from there.
        let own = format!("/{DEFINITIONS}/{}/{DEFINITIONS}", Self::schema_name());
        let parts = schema.pointer_mut(&own).map(Value::take).unwrap_or_default();
        schema.insert(DEFINITIONS.to_owned(), parts);
        schema
    }
}

/// Asks for nothing to be there.
#[derive(Clone, Debug)]
struct Partial;

impl Transform for Partial {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(object) = schema.as_object_mut() {
            object.remove("required");
            if object.contains_key("properties") {
                object.insert("patternProperties".into(), json!({r"^\$": true}));
            }
        }
        transform_subschemas(self, schema);
    }
}
