//! What one chaincode of one peer is called in Kubernetes: names and labels.
//!
//! Labels of chaincode are freer than any name in Kubernetes (`basic_1.0`, upper
//! case, `+`, any length), so that names are made readable and a hash tells apart.

use std::collections::BTreeMap;

use selvedge_buildpack::digest::Sha256;

/// Who applies the objects: the field manager, and the value of `managed-by`.
pub const MANAGER: &str = "selvedge-launcher";

/// Who manages an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Which chaincode of which peer an object belongs to; the objects' own name.
pub const INSTANCE: &str = "app.kubernetes.io/instance";

/// The peer.
pub const PEER: &str = "selvedge.dev/peer";

/// The peer of which chaincode is that the launcher runs from apart.
const SERVED: &str = "selvedge.dev/served-peer";

/// The slot.
const SLOT: &str = "selvedge.dev/slot";

/// The full package ID, an annotation.
pub const PACKAGE_ID: &str = "selvedge.dev/package-id";

/// The SHA-256 of the replicas' certificate: tells one run's pods from another's.
pub const CREDENTIALS: &str = "selvedge.dev/credentials";

/// The annotation that tells a run's later pods from its first ones.
pub const GENERATION: &str = "selvedge.dev/generation";

/// What an operator's overlay lifted of a pod's security, an annotation.
pub const LIFTED: &str = "selvedge.dev/lifted";

/// When a chaincode was scaled to zero, RFC 3339; an annotation.
pub const STOPPED_AT: &str = "selvedge.dev/stopped-at";

/// The longest name: a pod's is this, the ReplicaSet's hash (10) and five more
/// characters, and Kubernetes cuts a pod's host name at 63.
const NAME_LIMIT: usize = 63 - 11 - 6;

/// Where the names of proxies are: `.internal` is kept from the world's names, for private use
/// (ICANN's board, 29 July 2024, by SAC113).
const DOMAIN: &str = "selvedge.internal";

/// The longest label value, and DNS label (RFC 1123).
const LABEL_LIMIT: usize = 63;

/// Digits of the hash in names.
const HASH_DIGITS: usize = 10;

/// Digits of the package's hash in its label: the whole is one digit too long for one.
const PACKAGE_DIGITS: usize = 32;

/// One of the two sets of objects of a chaincode: while its replicas run in the one, those that are
/// to take over from them start in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// That of a run's first replicas.
    First,
    /// That of those that take over from the first ones.
    Second,
}

impl Slot {
    /// The slot of a run's set of replicas: they take turns.
    pub fn of(set: u64) -> Self {
        if set.is_multiple_of(2) { Self::First } else { Self::Second }
    }

    /// The slot that is not this one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    /// What the slot adds to a name. No name without it ends so: before it is a hash.
    fn suffix(self) -> &'static str {
        match self {
            Self::First => "",
            Self::Second => "-2",
        }
    }

    /// What people know it by.
    fn label(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }
}

/// One chaincode of one peer, in one slot.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The name that all its objects bear: a DNS label that starts with a letter (RFC 1035).
    pub name: String,
    /// Where its objects are.
    pub namespace: String,
    /// The package ID.
    pub package_id: String,
    /// The organisation's MSP ID.
    pub msp_id: String,
    /// The peer's name; that of a launcher apart, which it works under.
    pub peer: String,
    /// The name of the chaincode's peer, where that is another: of a launcher apart.
    pub served: Option<String>,
    /// The slot.
    pub slot: Slot,
}

impl Identity {
    /// The identity of a package on a peer, in the first slot.
    pub fn new(namespace: &str, package_id: &str, msp_id: &str, peer: &str) -> Self {
        let [namespace, package_id, msp_id, peer] =
            [namespace, package_id, msp_id, peer].map(String::from);
        let slot = Slot::First;
        let served = None;
        Self { name: String::new(), namespace, package_id, msp_id, peer, served, slot }.within(slot)
    }

    /// The same chaincode of a peer that the launcher is apart from.
    #[must_use]
    pub fn apart(self, peer: &str) -> Self {
        let slot = self.slot;
        Self { served: Some(peer.to_owned()), ..self }.within(slot)
    }

    /// The same chaincode in a slot.
    #[must_use]
    pub fn within(mut self, slot: Slot) -> Self {
        self.slot = slot;
        self.name = self.name_in(slot);
        self
    }

    fn name_in(&self, slot: Slot) -> String {
        let parts = [&*self.package_id, &self.msp_id, &self.peer];
        let parts: Vec<_> = parts.into_iter().chain(self.served.as_deref()).collect();
        let hash = short_hash(&parts);
        let suffix = slot.suffix();
        let slug = slug(label(&self.package_id), NAME_LIMIT - HASH_DIGITS - 1 - suffix.len());
        format!("{slug}-{hash}{suffix}")
    }

    /// The name by which replicas reach their proxy: the same wherever their objects are, and in
    /// both slots. No server of names knows it, only their pods do.
    pub fn host(&self) -> String {
        format!("{}.{DOMAIN}", self.name_in(Slot::First))
    }

    /// All labels of an object.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let hash = self.package_id.rsplit_once(':').map_or("", |(_, hash)| hash);
        let hash = &hash[..hash.floor_char_boundary(PACKAGE_DIGITS)];
        let mut labels = self.selector();
        labels.extend(map(&[
            ("app.kubernetes.io/name", "chaincode"),
            ("app.kubernetes.io/component", "chaincode"),
            ("app.kubernetes.io/part-of", "hyperledger-fabric"),
            ("selvedge.dev/label", &label_value(label(&self.package_id))),
            ("selvedge.dev/package-hash", &label_value(hash)),
            ("selvedge.dev/msp-id", &label_value(&self.msp_id)),
            (PEER, &label_value(&self.peer)),
            (SLOT, self.slot.label()),
        ]));
        let served = self.served.iter().map(|peer| (SERVED.to_owned(), label_value(peer)));
        labels.extend(served);
        labels
    }

    /// What selects the pods; never changes for a chaincode, as a Deployment demands.
    pub fn selector(&self) -> BTreeMap<String, String> {
        map(&[(INSTANCE, &self.name), (MANAGED_BY, MANAGER)])
    }

    /// The annotations of an object.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        map(&[(PACKAGE_ID, &self.package_id)])
    }
}

/// The selector of everything that belongs to a peer.
pub fn peer_selector(peer: &str) -> String {
    format!("{MANAGED_BY}={MANAGER},{PEER}={}", label_value(peer))
}

/// The text as a label's value: itself when it is one, otherwise something like it
/// with a hash, so that two different texts never share a value.
pub fn label_value(text: &str) -> String {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let ends = |text: &str| text.trim_matches(|c: char| !c.is_ascii_alphanumeric()).len();
    if text.len() <= LABEL_LIMIT && text.bytes().all(inner) && ends(text) == text.len() {
        return text.into();
    }
    let safe: String =
        text.bytes().map(|byte| if inner(byte) { char::from(byte) } else { '-' }).collect();
    let cut = &safe[..safe.len().min(LABEL_LIMIT - HASH_DIGITS - 1)];
    let cut = cut.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let hash = short_hash(&[text]);
    if cut.is_empty() { hash } else { format!("{cut}-{hash}") }
}

/// The text as the readable part of a name: starts with a letter, ends with a letter or digit.
pub fn slug(text: &str, limit: usize) -> String {
    let mut slug = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            slug.push(char::from(byte.to_ascii_lowercase()));
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    if !slug.starts_with(|c: char| c.is_ascii_lowercase()) {
        slug.insert_str(0, "cc-");
    }
    slug.truncate(limit);
    slug.trim_end_matches('-').into()
}

/// The first digits of a hash over the parts, each of which counts by itself.
pub fn short_hash(parts: &[&str]) -> String {
    let mut hex = Sha256::of(parts.join("\0").as_bytes()).hex();
    hex.truncate(HASH_DIGITS);
    hex
}

/// The label of a package ID.
pub fn label(package_id: &str) -> &str {
    package_id.rsplit_once(':').map_or(package_id, |(label, _)| label)
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "9e0bb8a1c4f5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f";

    fn named(label: &str) -> Identity {
        Identity::new("chaincode", &format!("{label}:{HASH}"), "Org1MSP", "peer0")
    }

    fn is_dns_label(name: &str) -> bool {
        name.len() <= 63
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && !name.ends_with('-')
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }

    fn is_label_value(value: &str) -> bool {
        let alphanumeric = |c: char| c.is_ascii_alphanumeric();
        value.len() <= 63
            && (value.is_empty()
                || value.starts_with(alphanumeric) && value.ends_with(alphanumeric))
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    }

    #[test]
    fn every_legal_label_has_a_valid_name_and_labels() {
        let long = "A+b_".repeat(50);
        let labels =
            ["basic_1.0", "Basic", "1", "1.0", "a+b", "a-", "x__", "0-+.", &long, "--weird--"];
        for label in labels {
            for slot in [Slot::First, Slot::Second] {
                let identity = named(label).within(slot);
                assert!(is_dns_label(&identity.name), "{label}: {}", identity.name);
                assert!(identity.name.len() <= NAME_LIMIT, "{label}: {}", identity.name);
                for (key, value) in identity.labels() {
                    assert!(is_label_value(&value), "{label}: {key}={value}");
                }
                assert_eq!(identity.annotations()[PACKAGE_ID], format!("{label}:{HASH}"));
            }
        }
    }

    #[test]
    fn names_stay_readable() {
        assert!(named("basic_1.0").name.starts_with("basic-1-0-"));
        assert!(named("1.0").name.starts_with("cc-1-0-"));
        assert_eq!(named("basic_1.0").labels()["selvedge.dev/label"], "basic_1.0");
    }

    #[test]
    fn sets_take_turns_and_their_objects_can_be_told_apart() {
        assert_eq!([0, 1, 2].map(Slot::of), [Slot::First, Slot::Second, Slot::First]);
        for label in ["basic", &"long".repeat(50)] {
            let (first, second) = (named(label), named(label).within(Slot::Second));
            assert_ne!(first.name, second.name);
            assert_ne!(first.selector(), second.selector());
            let slots = [&first, &second].map(|one| one.labels()[SLOT].clone());
            assert_eq!(slots, ["first", "second"]);
            assert_eq!(second.within(Slot::First).name, first.name);
        }
    }

    #[test]
    fn the_proxys_name_is_the_same_in_every_namespace_and_slot() {
        let [one, other] =
            ["here", "there"].map(|namespace| Identity::new(namespace, "a:1", "Org1MSP", "peer0"));
        assert_eq!(one.host(), format!("{}.selvedge.internal", one.name));
        assert_eq!(one.host(), other.within(Slot::Second).host());
    }

    #[test]
    fn peers_of_one_launcher_apart_have_objects_of_their_own() {
        let of = |peer: &str| named("basic").apart(peer);
        let (one, other) = (of("peer0"), of("peer1"));
        assert_ne!(one.name, other.name);
        assert_ne!(one.name, named("basic").name);
        assert_ne!(one.host(), other.host());
        assert_eq!(one.clone().within(Slot::Second).within(Slot::First).name, one.name);
        let labels = one.labels();
        assert_eq!((&*labels[SERVED], &labels[PEER]), ("peer0", &other.labels()[PEER]));
        assert!(!named("basic").labels().contains_key(SERVED));
    }

    #[test]
    fn what_differs_has_another_name() {
        let one = Identity::new("ns", "a:1", "Org1MSP", "peer0");
        for other in [
            Identity::new("ns", "A:1", "Org1MSP", "peer0"),
            Identity::new("ns", "a:2", "Org1MSP", "peer0"),
            Identity::new("ns", "a:1", "Org2MSP", "peer0"),
            Identity::new("ns", "a:1", "Org1MSP", "peer1"),
            Identity::new("ns", "a:1", "Org1MSPp", "eer0"),
        ] {
            assert_ne!(one.name, other.name, "{other:?}");
        }
        assert_ne!(named("a+b").name, named("a-b").name);
        assert_ne!(label_value("a+b"), label_value("a-b"));
    }
}
