//! Values as YAML that every reader takes for the same.

use serde::Serialize;
use serde_json::Value;
use serde_saphyr::{SerializerOptions, ser_options};

/// Texts on one line each: where lines of a text are folded, readers differ.
fn options() -> SerializerOptions {
    ser_options! { prefer_block_scalars: false }
}

/// Documents one after another.
pub(crate) fn stream(documents: &[impl Serialize]) -> anyhow::Result<String> {
    Ok(serde_saphyr::to_string_multiple_with_options(documents, options())?)
}

/// A value on one line; of a map or a list, JSON is YAML too.
pub(crate) fn line(value: &Value) -> anyhow::Result<String> {
    match value {
        Value::String(_) => {
            let text = serde_saphyr::to_string_with_options(value, options())?;
            Ok(text.trim_end().to_owned())
        }
        other => Ok(other.to_string()),
    }
}
