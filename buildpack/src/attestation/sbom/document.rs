//! The document around the things that an image is made of.

use oci_spec::image::Descriptor;
use serde::{Deserialize, Serialize};

use super::component::Component;
use crate::digest::Sha256;
use crate::image::{canonical_json, sha256};

/// The property that names the source of an image.
const SOURCE: &str = "selvedge:source";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata,
    components: Vec<Component>,
}

#[derive(Serialize)]
struct Metadata {
    component: Component,
    tools: Tools,
}

#[derive(Serialize)]
struct Tools {
    components: [Tool; 1],
}

/// What tells of it. Its version is left out: the same image has the same document.
#[derive(Serialize)]
struct Tool {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
}

/// The JSON.
pub(super) fn json(image: &Descriptor, source: Sha256, mut components: Vec<Component>) -> Vec<u8> {
    let digest = sha256(image).unwrap_or_else(|| Sha256::of(image.digest().as_ref().as_bytes()));
    components.sort();
    components.dedup_by(|one, other| one.reference() == other.reference());
    let document = Document {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: serial_number(digest),
        version: 1,
        metadata: Metadata {
            component: Component::image("chaincode", digest).with(SOURCE, &source.to_string()),
            tools: Tools { components: [Tool { kind: "application", name: "selvedge" }] },
        },
        components,
    };
    canonical_json(&document).expect("strings, numbers and lists are JSON")
}

/// A UUID out of the image's digest, of the version for whatever makes one (RFC 9562, 5.8).
fn serial_number(image: Sha256) -> String {
    let hex = image.hex();
    // The two bits of the variant are 10.
    let variant = u8::from_str_radix(&hex[16..17], 16).unwrap_or_default() & 0b11 | 0b1000;
    let [low, mid, high] = [&hex[..8], &hex[8..12], &hex[13..16]];
    let [sequence, node] = [&hex[17..20], &hex[20..32]];
    format!("urn:uuid:{low}-{mid}-8{high}-{variant:x}{sequence}-{node}")
}

/// A document, as far as it matters to who looks at an image.
#[derive(Clone, Debug, Deserialize)]
pub struct Bom {
    #[serde(rename = "bomFormat")]
    format: String,
    metadata: BomMetadata,
    #[serde(default)]
    components: Vec<serde::de::IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
struct BomMetadata {
    component: BomSubject,
}

#[derive(Clone, Debug, Deserialize)]
struct BomSubject {
    #[serde(default)]
    version: String,
}

impl Bom {
    /// Reads a document; why it is none, otherwise.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let bom: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if bom.format == "CycloneDX" {
            Ok(bom)
        } else {
            Err(format!("it is a `{}`, and no CycloneDX document", bom.format))
        }
    }

    /// Whether it is about an image.
    pub fn is_about(&self, image: Sha256) -> bool {
        self.metadata.component.version == image.to_string()
    }

    /// How many things the image is made of.
    pub fn components(&self) -> usize {
        self.components.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_a_uuid_of_the_image() {
        let number = serial_number(Sha256::of(b"image"));
        assert_eq!(number, serial_number(Sha256::of(b"image")));
        assert_ne!(number, serial_number(Sha256::of(b"another")));
        let uuid = number.strip_prefix("urn:uuid:").unwrap();
        let groups: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{uuid}");
        assert_eq!(&uuid[14..15], "8");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }

    #[test]
    fn what_is_no_such_document() {
        for (json, reason) in [
            ("[]", "invalid length"),
            ("{\"bomFormat\":\"SPDX\",\"metadata\":{\"component\":{}}}", "it is a `SPDX`"),
        ] {
            let told = Bom::parse(json.as_bytes()).unwrap_err();
            assert!(told.contains(reason), "{told}");
        }
    }
}
