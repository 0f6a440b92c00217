//! What an operator has said, and what of it applies to whom.

use serde_json::Value;

use crate::builds::Builds;
use crate::chaincode::Chaincode;
use crate::check;
use crate::document::{self, Content, Entry, Node};
use crate::fault::{Fault, Faults, path_of};
use crate::file::{BackendKind, File};
use crate::local::meaningless;
use crate::matching::{Match, Subject};
use crate::meaning::senseless;
use crate::origin::{self, Said};
use crate::overlaying::{lay_over, what_is_given};
use crate::registry::Registry;

/// A file without a fault.
#[derive(Clone, Debug)]
pub struct Operator {
    file: File,
    /// The file's own values with their places, laid over the defaults.
    chaincode: Node,
    overrides: Vec<(Match, Node)>,
}

/// An override that is for none of the chaincodes that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    /// Which override, counted from 0.
    pub number: usize,
    /// For which it is.
    pub matching: Match,
}

impl Default for Operator {
    /// What applies without a file.
    fn default() -> Self {
        Self::read(b"apiVersion: selvedge/v1\n").expect("a file of nothing has no fault")
    }
}

impl Operator {
    /// Reads a text in YAML; every fault of it, if there is one.
    pub fn read(text: &[u8]) -> Result<Self, Faults> {
        let mut root = document::parse(text)?;
        if root.is_null() {
            return Err(Faults::whole(
                "the file says nothing; its first line is `apiVersion: selvedge/v1`".into(),
            ));
        }
        if !check::is_map(&root) {
            return Err(Faults::whole("the file is no map of keys and values".into()));
        }
        Faults::none_or(check::check(&root))?;
        let given = what_is_given(&root);
        lay_under(&mut root);
        let file: File = serde_json::from_value(what_is_given(&root).value())
            .map_err(|error| Faults::whole(error.to_string()))?;
        let chaincode = root.child("chaincode").cloned().unwrap_or(Node::of(Value::Null));
        let given_overrides = given.child("overrides").map(Node::items).unwrap_or_default();
        let raw = root.child("overrides").map(Node::items).unwrap_or_default().to_vec();
        let overrides = file.overrides.iter().zip(&raw).map(|(one, node)| {
            let empty = || Node::of(Value::Object(serde_json::Map::new()));
            (one.matching.clone(), node.child("chaincode").cloned().unwrap_or_else(empty))
        });
        let overrides: Vec<_> = overrides.collect();
        let operator = Self { file, chaincode, overrides };
        let mut faults = meaningless(&given, operator.file.backend);
        faults.extend(operator.senseless(given_overrides.len()));
        Faults::none_or(faults)?;
        Ok(operator)
    }

    /// What runs the chaincode.
    pub fn backend(&self) -> BackendKind {
        self.file.backend
    }

    /// How chaincode becomes an image.
    pub fn builds(&self) -> &Builds {
        &self.file.builds
    }

    /// Where images are kept.
    pub fn registry(&self) -> &Registry {
        &self.file.registry
    }

    /// How chaincode runs for which no override is.
    pub fn defaults(&self) -> &Chaincode {
        &self.file.chaincode
    }

    /// How this chaincode runs; the faults of overrides that are sound each by itself, and together
    /// are not.
    pub fn chaincode(&self, subject: &Subject) -> Result<Chaincode, Faults> {
        let node = self.resolve(subject);
        let chaincode = typed(&node)?;
        Faults::none_or(placed(&node, &["chaincode"], senseless(&chaincode)))?;
        Ok(chaincode)
    }

    /// What is said for this chaincode, key by key, and where.
    pub fn said(&self, subject: &Subject) -> Vec<Said> {
        origin::said(&self.resolve(subject))
    }

    /// The overrides that are for none of these chaincodes.
    pub fn unmatched(&self, subjects: &[Subject]) -> Vec<Unmatched> {
        let all = self.overrides.iter().enumerate();
        let is_for_none = |(_, (matching, _)): &(usize, &(Match, Node))| {
            !subjects.iter().any(|s| matching.fits(s))
        };
        all.filter(is_for_none)
            .map(|(number, (matching, _))| Unmatched { number, matching: matching.clone() })
            .collect()
    }

    fn resolve(&self, subject: &Subject) -> Node {
        let mut node = self.chaincode.clone();
        for (_, over) in self.overrides.iter().filter(|(matching, _)| matching.fits(subject)) {
            lay_over(&mut node, over);
        }
        node
    }

    /// What does not go together in the defaults, or in the defaults with one override.
    fn senseless(&self, overrides: usize) -> Vec<Fault> {
        let own = placed(&self.chaincode, &["chaincode"], senseless(&self.file.chaincode));
        let with = |number: usize| {
            let (_, over) = &self.overrides[number];
            let mut node = self.chaincode.clone();
            lay_over(&mut node, over);
            let found = typed(&node).map(|chaincode| senseless(&chaincode)).unwrap_or_default();
            let number = number.to_string();
            placed(&node, &["overrides", &number, "chaincode"], found)
        };
        let mut faults = own;
        for number in 0..overrides {
            for fault in with(number) {
                // What the defaults have wrong themselves is told once.
                if !faults
                    .iter()
                    .any(|told| told.place == fault.place && told.message == fault.message)
                {
                    faults.push(fault);
                }
            }
        }
        faults
    }
}

impl Chaincode {
    /// What differs from another one, a line for each key.
    pub fn differences(&self, new: &Self) -> Vec<String> {
        origin::differences(self, new)
    }

    /// Whether what runs by these settings runs by those, too: the times are looked at when they
    /// are needed.
    pub fn runs_as(&self, other: &Self) -> bool {
        Self { timeouts: other.timeouts, ..self.clone() } == *other
    }
}

/// Puts the defaults below what the file says.
fn lay_under(root: &mut Node) {
    let defaults = [
        ("builds", serde_json::to_value(Builds::default())),
        ("registry", serde_json::to_value(Registry::default())),
        ("chaincode", serde_json::to_value(Chaincode::default())),
    ];
    let Content::Map(entries) = &mut root.content else { return };
    for (key, default) in defaults {
        let mut node = Node::of(default.unwrap_or_default());
        match entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) if entry.value.is_null() => entry.value = node,
            Some(entry) => {
                lay_over(&mut node, &entry.value);
                entry.value = node;
            }
            None => entries.push(Entry { key: key.into(), place: None, value: node }),
        }
    }
}

fn typed(node: &Node) -> Result<Chaincode, Faults> {
    serde_json::from_value(what_is_given(node).value())
        .map_err(|error| Faults::whole(error.to_string()))
}

fn placed(node: &Node, below: &[&str], found: Vec<(Vec<String>, String)>) -> Vec<Fault> {
    let fault = |(path, message): (Vec<String>, String)| {
        let segments = || path.iter().map(String::as_str);
        let place = node.place_of(segments());
        Fault { place, path: path_of(below.iter().copied().chain(segments())), message }
    };
    found.into_iter().map(fault).collect()
}
