//! The operator's file of a launcher, as a test has it: keys and their values.

use std::fmt;

use serde_json::{Map, Value, json};

/// What a launcher logs when it has taken up a file that has changed.
pub const TAKEN_UP: &str = "the operator's file has changed and is in force";

/// An operator's file. It shows itself as JSON, which is YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorsFile(Value);

impl OperatorsFile {
    /// A file that says no more than which backend there is.
    pub fn new(backend: &str) -> Self {
        Self(json!({ "apiVersion": "selvedge/v1", "backend": backend }))
    }

    /// Says another value for a key, which is named by its path: `chaincode.timeouts.start`. Null
    /// takes back what was said.
    pub fn say(&mut self, path: &str, value: Value) {
        let (maps, key) =
            path.rsplit_once('.').map_or((None, path), |(maps, key)| (Some(maps), key));
        let mut map = object(&mut self.0);
        for name in maps.into_iter().flat_map(|maps| maps.split('.')) {
            map = object(map.entry(name).or_insert_with(|| json!({})));
        }
        if value.is_null() {
            map.remove(key);
        } else {
            map.insert(key.to_owned(), value);
        }
    }
}

/// The value as a map, which it becomes if it is none.
fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it has just become one")
}

impl fmt::Display for OperatorsFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{:#}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_last_counts_and_null_takes_it_back() {
        let mut file = OperatorsFile::new("local");
        file.say("chaincode.timeouts.start", json!("3s"));
        file.say("chaincode.replicas", json!(2));
        file.say("chaincode.replicas", json!(3));
        file.say("backend", json!("kubernetes"));
        file.say("chaincode.timeouts.start", Value::Null);
        let said = json!({
            "apiVersion": "selvedge/v1",
            "backend": "kubernetes",
            "chaincode": { "timeouts": {}, "replicas": 3 },
        });
        assert_eq!(file, OperatorsFile(said));
    }
}
