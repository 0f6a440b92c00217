//! Where in a pod template something is, as people who know Kubernetes read it.

use std::fmt;

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Into the value of a key.
    Key(String),
    /// To an item of a list, by its place.
    Index(usize),
    /// To an item of a list that is told from the others by a key of its own.
    Item {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
    },
}

/// A path, such as `spec.containers[0].image` or `spec.containers[name="chaincode"].image`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<Step>);

impl Path {
    /// The path of these keys.
    pub fn keys(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }

    /// One step further.
    #[must_use]
    pub fn join(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    /// The value of a key.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.join(Step::Key(key.to_owned()))
    }

    /// The item of a list that is told from the others by a key of its own.
    #[must_use]
    pub fn item(&self, key: &'static str, value: impl fmt::Display) -> Self {
        self.join(Step::Item { key, value: value.to_string() })
    }

    /// All steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl FromIterator<Step> for Path {
    fn from_iter<Steps: IntoIterator<Item = Step>>(steps: Steps) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                // A dot within a key would read as two keys.
                Step::Key(key) if key.contains(|c: char| !is_plain(c)) => {
                    write!(out, "[{key:?}]")?;
                }
                Step::Key(key) if number == 0 => out.write_str(key)?,
                Step::Key(key) => write!(out, ".{key}")?,
                Step::Index(index) => write!(out, "[{index}]")?,
                Step::Item { key, value } => write!(out, "[{key}={value:?}]")?,
            }
        }
        Ok(())
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '$' || c == '_' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_kubernetes_writes_it() {
        let container = Path::keys(&["spec", "containers"]).item("name", "chaincode");
        assert_eq!(
            container.key("env").join(Step::Index(2)).to_string(),
            r#"spec.containers[name="chaincode"].env[2]"#,
        );
        let annotation = Path::keys(&["metadata", "annotations", "selvedge.dev/package-id"]);
        assert_eq!(annotation.to_string(), r#"metadata.annotations["selvedge.dev/package-id"]"#);
        assert_eq!(Path::default().to_string(), "");
    }
}
