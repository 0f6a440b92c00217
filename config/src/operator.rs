//! What an operator has said, and what of it applies to whom.

use serde_json::Value;

use crate::apart::{self, Apart};
use crate::builds::Builds;
use crate::chaincode::Chaincode;
use crate::check;
use crate::document::{self, Content, Entry, Node};
use crate::fault::Faults;
use crate::file::{BackendKind, File, Health, Page};
use crate::local::{has_meaning, meaningless};
use crate::matching::{Match, Subject};
use crate::meaning::{placed, senseless_builds};
use crate::mode;
use crate::origin::{self, Said};
use crate::overlaying::{lay_over, what_is_given};
use crate::place::Place;
use crate::registry::Registry;
use crate::variant::Variant;

/// A file without a fault.
#[derive(Clone, Debug)]
pub struct Operator {
    file: File,
    /// The file's own values with their places, laid over the defaults.
    chaincode: Node,
    overrides: Vec<Laid>,
    variants: Vec<Variant>,
}

/// An override as the file has it.
#[derive(Clone, Debug)]
struct Laid {
    /// For which it is.
    matching: Match,
    /// Where that is said.
    place: Option<Place>,
    /// What it lays over the defaults.
    chaincode: Node,
}

/// An override that is for none of the chaincodes that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    /// Which override, counted from 0.
    pub number: usize,
    /// For which it is.
    pub matching: Match,
    /// Where that is said.
    pub place: Option<Place>,
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
        let empty = || Node::of(Value::Object(serde_json::Map::new()));
        let of = |node: &Node| node.child("chaincode").cloned().unwrap_or_else(empty);
        let raw = root.child("overrides").map(Node::items).unwrap_or_default();
        let overrides = file.overrides.iter().zip(raw).map(|(one, node)| Laid {
            matching: one.matching.clone(),
            place: node.place_of(["match"]),
            chaincode: of(node),
        });
        let overrides: Vec<_> = overrides.collect();
        let mut operator = Self { chaincode: of(&root), file, overrides, variants: Vec::new() };
        operator.variants = operator.all_variants()?;
        let mut faults = meaningless(&given, operator.file.backend);
        faults.extend(mode::meaningless(&given));
        if let (Some(node), Some(apart)) = (root.child("apart"), &operator.file.apart) {
            faults.extend(placed(node, &["apart"], apart::senseless(apart)));
        }
        if let Some(builds) = root.child("builds") {
            let found = senseless_builds(&operator.file.builds);
            faults.extend(placed(builds, &["builds"], found));
        }
        faults.extend(operator.variants.iter().flat_map(Variant::senseless));
        Faults::none_or(faults)?;
        Ok(operator)
    }

    /// What runs the chaincode.
    pub fn backend(&self) -> BackendKind {
        self.file.backend
    }

    /// Where the launcher answers to who asks how it is.
    pub fn health(&self) -> &Health {
        &self.file.health
    }

    /// Where browsers find a page that shows what runs.
    pub fn page(&self) -> &Page {
        &self.file.page
    }

    /// For which peers the launcher is from apart, if it is.
    pub fn apart(&self) -> Option<&Apart> {
        self.file.apart.as_ref()
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
        self.variant(subject).map(Variant::into_chaincode)
    }

    /// The same, with the places of what is said.
    pub fn variant(&self, subject: &Subject) -> Result<Variant, Faults> {
        let variant = Variant::of(self.resolve(subject), None)?;
        Faults::none_or(variant.senseless())?;
        Ok(variant)
    }

    /// The ways in which chaincode may run: the defaults, then these with each of the overrides by
    /// itself. What several overrides come to together shows with [`Self::chaincode`].
    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// What is said for this chaincode, key by key, and where; of the keys that mean something on
    /// the backend, and in the way in which it is executed.
    pub fn said(&self, subject: &Subject) -> Vec<Said> {
        let node = self.resolve(subject);
        let means_something = |below: &[&str]| {
            let path: Vec<&str> = [&["chaincode"], below].concat();
            has_meaning(&path, self.file.backend) && mode::has_meaning(below, &node)
        };
        origin::said(&node, means_something)
    }

    /// The overrides that are for none of these chaincodes.
    pub fn unmatched(&self, subjects: &[Subject]) -> Vec<Unmatched> {
        self.overrides_without(|matching| subjects.iter().any(|subject| matching.fits(subject)))
    }

    /// The overrides that are for no chaincode with one of these labels, whatever its MSP and peer.
    pub fn unmatched_by_label(&self, labels: &[impl AsRef<str>]) -> Vec<Unmatched> {
        self.overrides_without(|matching| {
            labels.iter().any(|label| matching.fits_label(label.as_ref()))
        })
    }

    fn overrides_without(&self, is_for_one: impl Fn(&Match) -> bool) -> Vec<Unmatched> {
        let all = self.overrides.iter().enumerate();
        all.filter(|(_, one)| !is_for_one(&one.matching))
            .map(|(number, Laid { matching, place, .. })| Unmatched {
                number,
                matching: matching.clone(),
                place: *place,
            })
            .collect()
    }

    fn resolve(&self, subject: &Subject) -> Node {
        let mut node = self.chaincode.clone();
        for over in self.overrides.iter().filter(|over| over.matching.fits(subject)) {
            lay_over(&mut node, &over.chaincode);
        }
        node
    }

    fn all_variants(&self) -> Result<Vec<Variant>, Faults> {
        let with = |(number, over): (usize, &Laid)| {
            let mut node = self.chaincode.clone();
            lay_over(&mut node, &over.chaincode);
            Variant::of(node, Some(number))
        };
        let defaults = Variant::of(self.chaincode.clone(), None);
        let overrides = self.overrides.iter().enumerate().map(with);
        std::iter::once(defaults).chain(overrides).collect()
    }
}

impl Chaincode {
    /// What differs from another one, a line for each key.
    pub fn differences(&self, new: &Self) -> Vec<String> {
        origin::differences(self, new)
    }

    /// Whether what runs by these settings runs by those, too: the times are looked at when they
    /// are needed, and what is run again is the proxy's matter.
    pub fn runs_as(&self, other: &Self) -> bool {
        Self { timeouts: other.timeouts, replay: other.replay, ..self.clone() } == *other
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
