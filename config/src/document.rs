//! A YAML text as a tree of values, each with its place in the text.
//!
//! The tree is what the schema is held against, so that every fault is found at once; a reader that
//! goes straight to types stops at the first.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned, budget, options};

use crate::fault::{Fault, Faults};
use crate::place::Place;

/// The longest file that is read, in bytes: what a ConfigMap can hold
/// (`k8s.io/kubernetes/pkg/apis/core/validation`, `MaxSecretSize`).
pub const LONGEST: usize = 1 << 20;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// None of a default.
    pub(crate) place: Option<Place>,
    pub(crate) content: Content,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a map, and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Option<Place>,
    pub(crate) value: Node,
}

/// Reads a text.
pub(crate) fn parse(text: &[u8]) -> Result<Node, Faults> {
    let whole = |message: String| Faults(vec![Fault { place: None, path: String::new(), message }]);
    if text.len() > LONGEST {
        return Err(whole(format!(
            "the file has more than {LONGEST} bytes, and is not read: a ConfigMap has no room for it"
        )));
    }
    let text = std::str::from_utf8(text).map_err(|error| {
        let line = text[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        whole(format!("the file is not in UTF-8: line {line} has other bytes; save it as UTF-8"))
    })?;
    let options = options! {
        // Told with all others: see `check.rs`.
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        // Far more than a file of that size has any use for.
        budget: budget! { max_aliases: 1000, max_recorded_anchor_events: 10_000 },
    };
    let root: Spanned<Content> =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location().map(place);
            let message = error.without_snippet().to_string();
            Faults(vec![Fault { place, path: String::new(), message }])
        })?;
    Ok(root.into())
}

fn place(location: Location) -> Place {
    Place { line: location.line(), column: location.column() }
}

impl From<Spanned<Content>> for Node {
    fn from(spanned: Spanned<Content>) -> Self {
        Self { place: Some(place(spanned.referenced)), content: spanned.value }
    }
}

impl Node {
    /// A value that stands nowhere.
    pub(crate) fn of(value: Value) -> Self {
        let content = match value {
            Value::Array(items) => Content::List(items.into_iter().map(Self::of).collect()),
            Value::Object(pairs) => {
                let entry = |(key, value)| Entry { key, place: None, value: Self::of(value) };
                Content::Map(pairs.into_iter().map(entry).collect())
            }
            scalar => Content::Scalar(scalar),
        };
        Self { place: None, content }
    }

    /// The value without its places; of a doubled key the last one.
    pub(crate) fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::value).collect(),
            Content::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.value.value()));
                Value::Object(pairs.collect())
            }
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.content, Content::Scalar(Value::Null))
    }

    /// The entries of a map; none of anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        if let Content::Map(entries) = &self.content { entries } else { &[] }
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        if let Content::List(items) = &self.content { items } else { &[] }
    }

    /// The entry of a key; of a doubled one the last.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().rev().find(|entry| entry.key == key)
    }

    /// What is at a key of a map, or at an index of a list.
    pub(crate) fn child(&self, segment: &str) -> Option<&Self> {
        match &self.content {
            Content::Map(_) => self.entry(segment).map(|entry| &entry.value),
            Content::List(items) => items.get(segment.parse::<usize>().ok()?),
            Content::Scalar(_) => None,
        }
    }

    /// Where the value at a path stands, or that of it which is there.
    pub(crate) fn place_of<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<Place> {
        let mut node = self;
        for segment in path {
            match node.child(segment) {
                Some(child) => node = child,
                None => break,
            }
        }
        node.place
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Content, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(Content::Scalar(number.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Content>>()? {
            list.push(item.into());
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value = entries.next_value::<Spanned<Content>>()?.into();
            let place = Some(place(key.referenced));
            map.push(Entry { key: key.value, place, value });
        }
        Ok(Content::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_knows_its_place() {
        // YAML 1.1, as Kubernetes reads it: `yes` is true.
        let text = "a:\n  - 1\n  - b: yes\n    c: '2'\nd: null\n";
        let node = parse(text.as_bytes()).unwrap();
        let expected = json!({"a": [1, {"b": true, "c": "2"}], "d": null});
        assert_eq!(node.value(), expected);
        let entry = node.child("a").unwrap().child("1").unwrap().entry("c").unwrap();
        assert_eq!(entry.place, Some(Place { line: 4, column: 5 }));
        assert_eq!(entry.value.place, Some(Place { line: 4, column: 8 }));
        assert_eq!(node.place_of(["a", "1", "c"]), entry.value.place);
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_place() {
        for (text, line) in [("a: [1\nb: 2\n", 2), ("a: 1\n\tb: 2\n", 1), ("a: *nowhere\n", 1)] {
            let Faults(faults) = parse(text.as_bytes()).unwrap_err();
            assert_eq!(faults[0].place.unwrap().line, line, "{text:?}: {}", faults[0]);
        }
    }

    #[test]
    fn what_is_too_much_is_not_read() {
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
                    c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
                    e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
                    g: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
        assert!(parse(bomb.as_bytes()).is_err());
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
        let long = parse(&vec![b'#'; LONGEST + 1]).unwrap_err();
        assert!(long.to_string().starts_with("the file has more than 1048576 bytes"), "{long}");
        let latin = parse(b"a: 1\nb: M\xfcller\n").unwrap_err();
        assert!(latin.to_string().contains("line 2"), "{latin}");
    }
}
