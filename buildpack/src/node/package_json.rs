//! `package.json`, as far as it decides how a chaincode is built and started.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The most that a `package.json` may have, in bytes: a hundred times what people write.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// What is read of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PackageJson {
    /// The module that the shim's own launcher loads.
    pub(super) main: Option<String>,
    /// What `npm run` knows.
    pub(super) scripts: BTreeMap<String, String>,
    /// What is there when the chaincode runs: versions, or where it is.
    pub(super) dependencies: BTreeMap<String, String>,
    /// What is there besides when it is built.
    pub(super) dev_dependencies: BTreeMap<String, String>,
    /// What is there if it can be.
    pub(super) optional_dependencies: BTreeMap<String, String>,
    /// Whether other packages lie in this one's directory, and belong together with it.
    pub(super) has_workspaces: bool,
}

impl PackageJson {
    /// Reads the content of a file, as leniently as npm: of two fields with a name the last, and what
    /// is of another kind than it should be as if it were not there. Why it is none, on an error.
    pub(super) fn parse(content: &[u8]) -> Result<Self, serde_json::Error> {
        // npm passes over a byte order mark.
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let fields: Map<String, Value> = serde_json::from_slice(content)?;
        Ok(Self {
            main: fields.get("main").and_then(Value::as_str).map(str::to_owned),
            scripts: texts(&fields, "scripts"),
            dependencies: texts(&fields, "dependencies"),
            dev_dependencies: texts(&fields, "devDependencies"),
            optional_dependencies: texts(&fields, "optionalDependencies"),
            has_workspaces: has_workspaces(&fields),
        })
    }

    /// A script that says something.
    pub(super) fn script(&self, name: &str) -> Option<&str> {
        self.scripts.get(name).map(|script| script.trim()).filter(|script| !script.is_empty())
    }

    /// What is installed where nothing is built.
    pub(super) fn at_run_time(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.dependencies.iter().chain(&self.optional_dependencies);
        all.map(|(name, place)| (name.as_str(), place.as_str()))
    }

    /// All dependencies: their names, and versions or places.
    pub(super) fn all_dependencies(&self) -> impl Iterator<Item = (&str, &str)> {
        let more = self.dev_dependencies.iter();
        self.at_run_time().chain(more.map(|(name, place)| (name.as_str(), place.as_str())))
    }
}

/// A list of patterns, or with Yarn one in an object.
fn has_workspaces(fields: &Map<String, Value>) -> bool {
    let workspaces = fields.get("workspaces").map(|field| field.get("packages").unwrap_or(field));
    workspaces.and_then(Value::as_array).is_some_and(|patterns| !patterns.is_empty())
}

/// The texts of a field with names.
fn texts(fields: &Map<String, Value>, field: &str) -> BTreeMap<String, String> {
    let named = fields.get(field).and_then(Value::as_object).into_iter().flatten();
    let texts = named.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_read() {
        let read = PackageJson::parse(
            b"\xef\xbb\xbf{\"name\":\"x\",\"main\":\"dist/index.js\",\"type\":\"module\",\
              \"scripts\":{\"start\":\" node . \",\"build\":\"\"},\
              \"devDependencies\":{\"typescript\":\"5\"}}",
        )
        .unwrap();
        assert_eq!(read.main.as_deref(), Some("dist/index.js"));
        assert_eq!(read.script("start"), Some("node ."));
        assert_eq!(read.script("build"), None);
        assert_eq!(read.all_dependencies().collect::<Vec<_>>(), [("typescript", "5")]);
    }

    #[test]
    fn what_npm_passes_over() {
        let read = PackageJson::parse(
            b"{\"main\":\"a.js\",\"main\":\"b.js\",\"devDependencies\":null,\"dependencies\":[],\
              \"scripts\":{\"start\":\"node .\",\"list\":[\"a\"],\"number\":1}}",
        )
        .unwrap();
        let scripts = [("start".to_owned(), "node .".to_owned())].into();
        let main = Some("b.js".to_owned());
        assert_eq!(read, PackageJson { main, scripts, ..PackageJson::default() });
    }

    #[test]
    fn what_is_none() {
        for (content, reason) in [
            (&b""[..], "EOF while parsing"),
            (b"[]", "invalid type: sequence, expected a map"),
            (b"{\"name\":", "EOF while parsing"),
        ] {
            let error = PackageJson::parse(content).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
