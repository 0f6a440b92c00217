//! One thing that an image is made of, as `CycloneDX` names it.

use packageurl::PackageUrl;
use serde::Serialize;

use crate::digest::Sha256;

/// The longest name or version that is told, in bytes. npm's names have 214 at most.
const LONGEST: usize = 512;

/// What kind of thing it is (`component.type` of the `CycloneDX` schema).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// The chaincode itself.
    Application,
    /// What it uses.
    Library,
    /// A file that says nothing of itself.
    File,
    /// An image, or a layer of one.
    Container,
    /// What is no code.
    Data,
}

/// The thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Component {
    /// By which it is one, and no other, of an image.
    #[serde(rename = "bom-ref")]
    reference: String,
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(rename = "externalReferences", skip_serializing_if = "Vec::is_empty")]
    distributions: Vec<Distribution>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

/// Where something is from, as a lock file has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Distribution {
    #[serde(rename = "type")]
    kind: &'static str,
    url: String,
    hashes: Vec<Hash>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

impl Component {
    /// A package of some ecosystem, by its package URL; none if its name or version cannot be one.
    pub(super) fn package(
        kind: Kind,
        ecosystem: &str,
        group: Option<&str>,
        name: &str,
        version: Option<&str>,
    ) -> Option<Self> {
        let parts = [group, Some(name), version];
        if !parts.into_iter().flatten().all(is_sane) {
            return None;
        }
        let mut url = PackageUrl::new(ecosystem, name).ok()?;
        if let Some(group) = group {
            url.with_namespace(group).ok()?;
        }
        if let Some(version) = version {
            url.with_version(version).ok()?;
        }
        let purl = url.to_string();
        Some(Self {
            reference: purl.clone(),
            group: group.map(str::to_owned),
            name: name.to_owned(),
            version: version.map(str::to_owned),
            purl: Some(purl),
            ..Self::bare(kind)
        })
    }

    /// A file of the image.
    pub(super) fn file(path: &str, digest: Sha256) -> Self {
        let hashes = vec![Hash { alg: "SHA-256", content: digest.hex() }];
        let (reference, name) = (format!("file:{path}"), path.to_owned());
        Self { reference, name, hashes, ..Self::bare(Kind::File) }
    }

    /// A layer, by its diff ID.
    pub(super) fn layer(name: &str, digest: Sha256) -> Self {
        let hashes = vec![Hash { alg: "SHA-256", content: digest.hex() }];
        let (reference, name) = (format!("layer:{name}"), name.to_owned());
        Self { reference, name, hashes, ..Self::bare(Kind::Container) }
    }

    /// An image by its digest.
    pub(super) fn image(name: &str, digest: Sha256) -> Self {
        let (reference, name) = (digest.to_string(), name.to_owned());
        let version = Some(reference.clone());
        Self { reference, name, version, ..Self::bare(Kind::Container) }
    }

    /// With something that `CycloneDX` has no name for.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        if is_sane(value) {
            self.properties.push(Property { name, value: value.to_owned() });
        }
        self
    }

    /// With the place where it is from, and the SHA-512 of what lies there.
    pub(super) fn from(mut self, url: &str, sha512: &[u8]) -> Self {
        if is_sane(url) {
            let hashes = vec![Hash { alg: "SHA-512", content: hex::encode(sha512) }];
            let (kind, url) = ("distribution", url.to_owned());
            self.distributions.push(Distribution { kind, url, hashes });
        }
        self
    }

    /// By which it is one, and no other, of an image.
    pub(super) fn reference(&self) -> &str {
        &self.reference
    }

    fn bare(kind: Kind) -> Self {
        Self {
            reference: String::new(),
            kind,
            group: None,
            name: String::new(),
            version: None,
            purl: None,
            hashes: Vec::new(),
            distributions: Vec::new(),
            properties: Vec::new(),
        }
    }
}

/// Whether a text can be a name: whoever wrote a package can write anything there.
pub(super) fn is_sane(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control)
}
