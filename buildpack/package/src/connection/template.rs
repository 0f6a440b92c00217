//! A text with gaps that each peer fills: what Selvedge takes of Go's `text/template`.
//!
//! Fabric's builder takes every text of a `connection.json` for such a template
//! (`ccaas_builder/cmd/build/main.go`, `execTempl`). What people write there are fields,
//! `{{.peername}}`; conditions, loops and functions would be a program that only the peer runs.

use std::fmt;

use super::field_path::FieldPath;
use super::values::{ValueFault, Values};

/// White space to a template (`text/template/parse/lex.go`, `spaceChars`).
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// How much of a template a fault shows: enough to find it, too little for a key.
const SHOWN: usize = 40;

/// A text, or a text with fields in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(FieldPath),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    /// Go refuses it as well.
    #[error("has `{0}`, which no `}}}}` closes")]
    Unclosed(String),
    /// Go may take it, or not.
    #[error(
        "has `{0}`: of Go's templates Selvedge takes fields, such as `{{{{.peername}}}}`, and \
         nothing else"
    )]
    Beyond(String),
}

impl Template {
    /// Takes a text apart.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateFault> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, action)) = rest.split_once("{{") {
            let Some((inner, after)) = action.split_once("}}") else {
                return Err(TemplateFault::Unclosed(excerpt(&rest[before.len()..])));
            };
            let whole = &rest[before.len()..rest.len() - after.len()];
            let (trims_before, inner) = trim_begin(inner);
            let (trims_after, inner) = trim_end(inner);
            let path = FieldPath::parse(inner.trim_matches(SPACE))
                .ok_or_else(|| TemplateFault::Beyond(excerpt(whole)))?;
            push(&mut parts, if trims_before { before.trim_end_matches(SPACE) } else { before });
            parts.push(Part::Field(path));
            rest = if trims_after { after.trim_start_matches(SPACE) } else { after };
        }
        push(&mut parts, rest);
        Ok(Self(parts))
    }

    /// The text, if there is nothing to fill in.
    pub(crate) fn literal(&self) -> Option<&str> {
        match &self.0[..] {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// What has to be filled in.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &FieldPath> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Field(path) => Some(path),
        })
    }

    /// The text with all gaps filled.
    pub(crate) fn filled(&self, values: &Values) -> Result<String, ValueFault> {
        let texts = self.0.iter().map(|part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Field(path) => values.text(path),
        });
        texts.collect()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Field(path) => write!(f, "{{{{.{path}}}}}"),
        })
    }
}

fn push(parts: &mut Vec<Part>, text: &str) {
    if let Some(Part::Text(last)) = parts.last_mut() {
        last.push_str(text);
    } else if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
}

/// Whether an action takes the white space before it away; what follows the mark.
fn trim_begin(inner: &str) -> (bool, &str) {
    let trimmed = inner.strip_prefix('-').filter(|rest| rest.starts_with(SPACE));
    (trimmed.is_some(), trimmed.unwrap_or(inner))
}

/// The same at the other end.
fn trim_end(inner: &str) -> (bool, &str) {
    let trimmed = inner.strip_suffix('-').filter(|rest| rest.ends_with(SPACE));
    (trimmed.is_some(), trimmed.unwrap_or(inner))
}

fn excerpt(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("{}{more}", shown.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        let values = r#"{"host":"h","port":9999,"tls":{"on":true},"é_1":"e","braces":"{{.host}}"}"#;
        let values = Values::parse(values).unwrap();
        Template::parse(text).unwrap().filled(&values).unwrap()
    }

    /// Each tried with Go 1.26: `template.New("").Option("missingkey=error")`.
    #[test]
    fn gaps_are_filled_as_go_fills_them() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{{.host}}", "h"),
            ("{{.host}}:{{.port}}", "h:9999"),
            ("a {{ .host }} b", "a h b"),
            ("{{\t.host\n}}", "h"),
            ("a \n{{- .host -}}\t b", "ahb"),
            ("a {{- .host}} b", "ah b"),
            ("{{.tls.on}}", "true"),
            ("{{.é_1}}", "e"),
            ("{ {.host} }} }", "{ {.host} }} }"),
            // What is filled in is no template any more.
            ("{{.braces}}", "{{.host}}"),
        ] {
            assert_eq!(filled(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_there_is_to_fill() {
        let template = Template::parse("{{ .a.b }}x{{- .c }}").unwrap();
        assert_eq!(template.to_string(), "{{.a.b}}x{{.c}}");
        assert_eq!(template.literal(), None);
        let fields: Vec<String> = template.fields().map(ToString::to_string).collect();
        assert_eq!(fields, ["a.b", "c"]);
        assert_eq!(Template::parse("x").unwrap().literal(), Some("x"));
        assert_eq!(Template::parse("").unwrap().literal(), Some(""));
    }

    #[test]
    fn anything_else_is_refused_by_its_name() {
        for action in [
            "{{}}",
            "{{.}}",
            "{{host}}",
            "{{.5}}",
            "{{.a..b}}",
            "{{.peer-name}}",
            "{{$}}",
            "{{\"text\"}}",
            "{{if .tls}}",
            "{{printf \"%s\" .host}}",
            "{{.host | html}}",
            "{{.host .port}}",
            "{{/* nothing */}}",
            "{{-.host}}",
            "{{{.host}}",
        ] {
            let told = Template::parse(&format!("a{action}b")).unwrap_err().to_string();
            assert!(
                told.starts_with(&format!("has `{}`: of Go's", action.escape_debug())),
                "{told}"
            );
        }
        let told = Template::parse("a{{.host").unwrap_err().to_string();
        assert_eq!(told, "has `{{.host`, which no `}}` closes");
    }

    #[test]
    fn no_more_of_a_text_is_shown_than_finds_it() {
        let told = Template::parse(&format!("{{{{{}", "k".repeat(4000))).unwrap_err().to_string();
        assert!(told.len() < 100, "{told}");
    }
}
