//! JSON as Go's `encoding/json` reads it, which is how a peer reads a package.
//!
//! Keys match a field in any case, of two the last one counts, null changes nothing, what no
//! field is for is skipped, and text that is not UTF-8 is repaired rather than refused
//! (`src/encoding/json/decode.go` and `fold.go` in Go).

use std::array;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess,
    Visitor,
};
use serde_json::{Map, Value};

/// How deep Go follows arrays and objects into each other (`maxNestingDepth` in `scanner.go`).
const DEEPEST: usize = 10_000;

/// Why Go, and so a peer, cannot read a JSON text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GoJsonError {
    /// No JSON, or a value of a type that its field cannot have.
    #[error("{0}")]
    Malformed(String),
    /// Arrays and objects in each other, beyond what Go follows.
    #[error("it nests more than {DEEPEST} arrays and objects")]
    Depth,
}

/// Reads an object with the text fields `names`, which are ASCII, as Go reads it into a struct:
/// a field that is not there is empty.
pub(crate) fn texts<const N: usize>(
    json: &[u8],
    names: [&str; N],
) -> Result<[String; N], GoJsonError> {
    let last = |mut texts: Vec<Text>| texts.pop().map_or_else(String::new, |Text(text)| text);
    Ok(fields(repaired(json).as_bytes(), names)?.map(last))
}

/// Reads the fields `names`, which are ASCII, of an object, whatever they hold: for each all that
/// it is given, in order, since Go wants each of them to be of the field's type.
pub(crate) fn values<const N: usize>(
    json: &[u8],
    names: [&str; N],
) -> Result<[Vec<Value>; N], GoJsonError> {
    fields(repaired(json).as_bytes(), names)
}

fn fields<T: DeserializeOwned, const N: usize>(
    json: &[u8],
    names: [&str; N],
) -> Result<[Vec<T>; N], GoJsonError> {
    if depth(json) > DEEPEST {
        return Err(GoJsonError::Depth);
    }
    let malformed = |error: serde_json::Error| GoJsonError::Malformed(error.to_string());
    // Where a text is read as bytes, the library takes characters in it that Go, and JSON, do not.
    serde_json::from_slice::<IgnoredAny>(json).map_err(malformed)?;
    let mut reader = serde_json::Deserializer::from_slice(json);
    let fields = Fields { names, of: PhantomData }.deserialize(&mut reader).map_err(malformed)?;
    reader.end().map_err(malformed)?;
    Ok(fields)
}

/// Whether the text is an object, whatever is in it.
pub(crate) fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().starts_with(b"{")
        && depth(json) <= DEEPEST
        && serde_json::from_slice::<IgnoredAny>(json).is_ok()
}

/// Reads an object of anything, as Go does into a map; none if it is no such thing.
pub(crate) fn object(json: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_str(&repaired(json)).ok()
}

/// The deepest nesting of a text that is JSON.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_text(&mut bytes),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Goes on behind the quote that ends a text.
fn skip_text<'a>(bytes: &mut impl Iterator<Item = &'a u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' => return,
            _ => {}
        }
    }
}

/// The bytes as text, with U+FFFD for each that is not UTF-8, as Go writes it.
fn repaired(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// Whether Go takes `key` for the field `name`, which is ASCII.
pub(crate) fn names(key: &str, name: &str) -> bool {
    key.chars().map(folded).eq(name.chars().map(folded))
}

/// The letter that stands for all of its cases. Two letters beyond ASCII are cases of one in it:
/// the Kelvin sign and the long s (`unicode.SimpleFold`).
fn folded(letter: char) -> char {
    match letter {
        '\u{212a}' => 'K',
        '\u{17f}' => 'S',
        other => other.to_ascii_uppercase(),
    }
}

/// Reads what each field is given; null changes nothing.
struct Fields<'a, T, const N: usize> {
    names: [&'a str; N],
    of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, const N: usize> DeserializeSeed<'de> for Fields<'_, T, N> {
    type Value = [Vec<T>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for Fields<'_, T, N> {
    type Value = [Vec<T>; N];

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = array::from_fn(|_| Vec::new());
        while let Some(Text(key)) = map.next_key()? {
            match self.names.iter().position(|name| names(&key, name)) {
                None => drop(map.next_value::<IgnoredAny>()?),
                Some(field) => fields[field].extend(map.next_value::<Option<T>>()?),
            }
        }
        Ok(fields)
    }

    /// Null changes nothing, and nothing is what there was.
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(array::from_fn(|_| Vec::new()))
    }
}

/// A text that may have halves of surrogate pairs in it (`"\ud83d"`): each is U+FFFD to Go.
struct Text(String);

impl Text {
    /// Of UTF-8, but for such halves, which are three bytes each (WTF-8).
    fn of(bytes: &[u8]) -> Self {
        const FIRST: u8 = 0xed;
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            let halves = chunk.invalid().iter().filter(|byte| **byte == FIRST);
            text.extend(halves.map(|_| char::REPLACEMENT_CHARACTER));
        }
        Self(text)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Text;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a text")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Text, E> {
                Ok(Text::of(bytes))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &[u8]) -> Option<[String; 2]> {
        texts(json, ["task", "path"]).ok()
    }

    /// Each tried with Go 1.26: `json.Unmarshal` into a struct with those two fields.
    #[test]
    fn what_go_reads() {
        let deep = |depth| {
            [br#"{"x":"#.to_vec(), b"[".repeat(depth), b"]".repeat(depth), b"}".to_vec()].concat()
        };
        for (json, task, path) in [
            (&br#"{"task":"a","path":"b"}"#[..], "a", "b"),
            (br#" {"TASK":"a","pAtH":"b"} "#, "a", "b"),
            (r#"{"ta\u017f\u212a":"a","taſK":"b"}"#.as_bytes(), "b", ""),
            (br#"{"task":"a","Task":"b","task":null}"#, "b", ""),
            (br#"{"other":[1e999,{"task":2}],"task":"a"}"#, "a", ""),
            (br#"{"ta\u0073k":"\u00e9\n"}"#, "é\n", ""),
            (b"{\"task\":\"\xff\xf0\x9f\",\"\xff\":1}", "\u{fffd}\u{fffd}\u{fffd}", ""),
            (br#"{"task":"\ud83d\ude00 \ud83d\ud83dx"}"#, "\u{1f600} \u{fffd}\u{fffd}x", ""),
            (br#"{"task":null}"#, "", ""),
            (b"{}", "", ""),
            (b"null", "", ""),
            (&deep(DEEPEST - 1), "", ""),
        ] {
            let read = read(json).unwrap_or_else(|| panic!("{}", repaired(json)));
            assert_eq!(read, [task, path], "{}", repaired(json));
        }
    }

    #[test]
    fn what_go_does_not_read() {
        let deep =
            [br#"{"x":"#.to_vec(), b"[".repeat(DEEPEST), b"]".repeat(DEEPEST), b"}".to_vec()];
        for json in [
            &b""[..],
            b"{",
            b"[]",
            b"\"task\"",
            b"7",
            b"{} x",
            b"{}{}",
            b"\xef\xbb\xbf{}",
            br#"{"task":1}"#,
            br#"{"task":["a"]}"#,
            br#"{"task":{}}"#,
            br#"{"task":true,"task":"a"}"#,
            br#"{"task":"a",}"#,
            br#"{'task':"a"}"#,
            br#"{"other":01}"#,
            b"{\"other\":\"a\nb\"}",
            b"{\"task\":\"a\nb\"}",
            b"{\"ta\0sk\":\"a\"}",
            b"{\"task\":\"a\"}\xff",
            &deep.concat(),
        ] {
            assert!(read(json).is_none(), "{}", repaired(json));
        }
    }

    #[test]
    fn all_that_a_field_is_given() {
        let json = b"{\"task\":1,\"TASK\":null,\"path\":[true],\"Task\":\"\xff\",\"x\":{}}";
        let [task, path] = values(json, ["task", "path"]).unwrap();
        assert_eq!(task, [Value::from(1), Value::from("\u{fffd}")]);
        assert_eq!(path, [serde_json::json!([true])]);
        assert_eq!(values(b"null", ["task"]).unwrap(), [Vec::<Value>::new()]);
        assert!(values(b"[]", ["task"]).is_err());
    }

    #[test]
    fn objects_and_what_is_none() {
        for json in [&b"{}"[..], b" \n{\"a\":[{}]} ", b"{\"a\":\"\xff\"}"] {
            assert!(is_object(json) && object(json).is_some(), "{}", repaired(json));
        }
        for json in [&b""[..], b"{", b"[]", b"{} {}", b"\x00\x05\x16\x07"] {
            assert!(!is_object(json) && object(json).is_none(), "{}", repaired(json));
        }
    }
}
