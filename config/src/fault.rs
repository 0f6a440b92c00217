//! What is wrong with a file, and where.

use std::collections::BTreeSet;
use std::fmt;

use crate::place::Place;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Fault {
    /// Where; `None` of a file as a whole.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// The path of the key or item, such as `overrides[0].chaincode.tmp`; empty of the file.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// All that is wrong with a file, in its order; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// One fault of a key that need not be there.
    pub fn at(path: &str, message: &str) -> Self {
        Self(vec![Fault { place: None, path: path.to_owned(), message: message.to_owned() }])
    }

    /// One fault of the file as a whole.
    pub(crate) fn whole(message: String) -> Self {
        Self(vec![Fault { place: None, path: String::new(), message }])
    }

    /// The faults in the order of their places, if there are any. What stands at one place and is
    /// wrong in several ways to run is told once.
    pub fn none_or(mut faults: Vec<Fault>) -> Result<(), Self> {
        faults.sort();
        let mut told: BTreeSet<(Option<Place>, String, String)> = BTreeSet::new();
        faults.retain(|Fault { place, path, message }| {
            // What nobody wrote is known by its path alone.
            let path = if place.is_some() { String::new() } else { path.clone() };
            told.insert((*place, path, message.clone()))
        });
        if faults.is_empty() { Ok(()) } else { Err(Self(faults)) }
    }
}

/// A path as one writes it: `overrides[0].chaincode.environment.LOG`.
pub(crate) fn path_of<'a>(segments: impl IntoIterator<Item = &'a str>) -> String {
    let mut path = String::new();
    for segment in segments {
        let is_index = !path.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
        let is_plain = segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-$".contains(&b));
        match (is_index, is_plain) {
            (true, _) => path.extend(["[", segment, "]"]),
            (_, false) => path.extend(["[\"", segment, "\"]"]),
            _ if path.is_empty() => path.push_str(segment),
            _ => path.extend([".", segment]),
        }
    }
    path
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(out, "{line}:{column}: ")?;
        }
        if !self.path.is_empty() {
            write!(out, "{}: ", self.path)?;
        }
        out.write_str(&self.message)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.0.iter().enumerate() {
            let end = if number == 0 { "" } else { "\n" };
            write!(out, "{end}{fault}")?;
        }
        Ok(())
    }
}
