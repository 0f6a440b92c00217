//! A field of a template: the names that lead to a value.

use std::fmt;

/// The names: `a`, `b` for `{{.a.b}}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FieldPath(Vec<String>);

impl FieldPath {
    /// `.a.b`, each name of letters, digits and `_`, and none of digits at its head
    /// (`text/template/parse/lex.go`, `lexField` and, for `.5`, `lexInsideAction`).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_name = |name: &str| {
            name.starts_with(|c: char| c == '_' || c.is_alphabetic())
                && name.chars().all(|c| c == '_' || c.is_alphanumeric())
        };
        let names: Vec<String> = text.strip_prefix('.')?.split('.').map(str::to_owned).collect();
        names.iter().all(|name| is_name(name)).then_some(Self(names))
    }

    /// The names, outermost first.
    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}
