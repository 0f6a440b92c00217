//! How an image came about: an in-toto statement (`spec/v1/statement.md` of in-toto's attestation
//! framework) with SLSA's predicate (`slsa.dev/spec/v1.0/provenance`).

use std::collections::BTreeMap;

use oci_spec::image::Descriptor;
use serde::{Deserialize, Serialize};

use super::{Build, Ingredient, Seen};
use crate::digest::Sha256;
use crate::image::{canonical_json, sha256};

/// The type of every statement.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// The type of what is stated.
const PREDICATE: &str = "https://slsa.dev/provenance/v1";

/// What the parameters of a build mean (`docs/provenance.md`).
const BUILD: &str = "urn:selvedge:chaincode-build:v1";

/// Who states it.
const BUILDER: &str = "urn:selvedge:launcher";

/// The statement of an image's provenance. What is not known of it is passed over when it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    /// What it is about.
    subject: Vec<Dependency>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    build_definition: Definition,
    run_details: Run,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    build_type: String,
    external_parameters: External,
    internal_parameters: Internal,
    #[serde(default)]
    resolved_dependencies: Vec<Dependency>,
}

/// What came with the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct External {
    source: Sha256,
    label: String,
    #[serde(rename = "type")]
    kind: String,
    path: String,
}

/// What the launcher added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Internal {
    #[serde(default)]
    recipe: Vec<String>,
    platform: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    toolchain: Option<String>,
    image: String,
}

/// Something by its digest, as in-toto's resource descriptors name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// What part it has.
    pub name: String,
    /// Where it is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    digest: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    builder: Builder,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Builder {
    id: String,
    #[serde(default)]
    version: BTreeMap<String, String>,
}

/// The statement of an image.
pub(super) fn document(image: &Descriptor, build: &Build) -> Vec<u8> {
    canonical_json(&Statement::of(image, build)).expect("strings, lists and maps of them are JSON")
}

impl Statement {
    fn of(image: &Descriptor, build: &Build) -> Self {
        let subject = sha256(image).map(|digest| Dependency::new("image", None, digest));
        let image = match build.seen {
            Seen::Built => "built",
            Seen::Found => "found",
        };
        let named = |part, ingredient: &Option<Ingredient>| {
            let Ingredient { name, digest } = ingredient.clone()?;
            Some(Dependency::new(part, Some(name), digest?))
        };
        let certain = [("source", build.source), ("base", build.base)];
        let certain = certain.map(|(part, digest)| Dependency::new(part, None, digest));
        let images = [named("runtime", &build.runtime), named("toolchain", &build.toolchain)];
        Self {
            kind: STATEMENT.to_owned(),
            subject: subject.into_iter().collect(),
            predicate_type: PREDICATE.to_owned(),
            predicate: Predicate {
                build_definition: Definition {
                    build_type: BUILD.to_owned(),
                    external_parameters: External {
                        source: build.source,
                        label: build.label.clone(),
                        kind: build.language.to_string(),
                        path: build.path.clone(),
                    },
                    internal_parameters: Internal {
                        recipe: build.recipe.clone(),
                        platform: build.platform.to_string(),
                        toolchain: build.toolchain.as_ref().map(|tools| tools.name.clone()),
                        image: image.to_owned(),
                    },
                    resolved_dependencies: certain
                        .into_iter()
                        .chain(images.into_iter().flatten())
                        .collect(),
                },
                run_details: Run {
                    builder: Builder {
                        id: BUILDER.to_owned(),
                        version: [("selvedge", env!("CARGO_PKG_VERSION"))]
                            .map(|(name, version)| (name.to_owned(), version.to_owned()))
                            .into(),
                    },
                },
            },
        }
    }

    /// Reads a statement; why it is none of an image's provenance by Selvedge, otherwise.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let statement: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let types = [
            (statement.kind.as_str(), STATEMENT),
            (&statement.predicate_type, PREDICATE),
            (&statement.definition().build_type, BUILD),
        ];
        if let Some((found, known)) = types.into_iter().find(|(found, known)| found != known) {
            return Err(format!("it is of the type `{found}`, and not {known}"));
        }
        Ok(statement)
    }

    /// Whether it is about an image.
    pub fn is_about(&self, image: Sha256) -> bool {
        self.subject.iter().any(|subject| subject.digest() == Some(image))
    }

    /// The digest of the source.
    pub fn source(&self) -> Sha256 {
        self.definition().external_parameters.source
    }

    /// The package's label.
    pub fn label(&self) -> &str {
        &self.definition().external_parameters.label
    }

    /// The language.
    pub fn language(&self) -> &str {
        &self.definition().external_parameters.kind
    }

    /// The tools, if any were used.
    pub fn toolchain(&self) -> Option<&str> {
        self.definition().internal_parameters.toolchain.as_deref()
    }

    /// What decided the outcome besides.
    pub fn recipe(&self) -> &[String] {
        &self.definition().internal_parameters.recipe
    }

    /// `built` or `found` ([`Seen`]).
    pub fn seen(&self) -> &str {
        &self.definition().internal_parameters.image
    }

    /// What it was made with, by digests.
    pub fn dependencies(&self) -> &[Dependency] {
        &self.definition().resolved_dependencies
    }

    /// Who states it, and in which version.
    pub fn builder(&self) -> (&str, Option<&str>) {
        let Builder { id, version } = &self.predicate.run_details.builder;
        (id, version.get("selvedge").map(String::as_str))
    }

    fn definition(&self) -> &Definition {
        &self.predicate.build_definition
    }
}

impl Dependency {
    fn new(name: &str, uri: Option<String>, digest: Sha256) -> Self {
        let digest = [("sha256".to_owned(), digest.hex())].into();
        Self { name: name.to_owned(), uri, digest }
    }

    /// Its digest, if it has one that images have.
    pub fn digest(&self) -> Option<Sha256> {
        Sha256::from_hex(self.digest.get("sha256")?).ok()
    }
}

#[cfg(test)]
mod tests {
    use oci_spec::image::{Digest, MediaType};

    use super::*;
    use crate::language::Language;
    use crate::platform::Platform;

    fn image() -> Descriptor {
        let digest = Digest::try_from(Sha256::of(b"image").to_string()).unwrap();
        Descriptor::new(MediaType::ImageManifest, 7, digest)
    }

    fn build(seen: Seen) -> Build {
        let image = |name: &str| {
            Some(Ingredient { name: name.to_owned(), digest: Some(Sha256::of(name.as_bytes())) })
        };
        Build {
            language: Language::Node,
            path: "asset".to_owned(),
            label: "asset_1.0".to_owned(),
            source: Sha256::of(b"source"),
            base: Sha256::of(b"base"),
            runtime: image("registry.example.com/node:24"),
            toolchain: image("registry.example.com/node-tools:24"),
            recipe: vec!["node 2".to_owned(), "npm ci --omit=dev".to_owned()],
            platform: Platform::LinuxAmd64,
            seen,
        }
    }

    /// Changing these bytes gives images that were told of a second statement.
    #[test]
    fn golden_statement() {
        let json = String::from_utf8(document(&image(), &build(Seen::Built))).unwrap();
        let shown: serde_json::Value = serde_json::from_str(&json).unwrap();
        let shown = serde_json::to_string_pretty(&shown).unwrap() + "\n";
        golden::golden_text("tests/golden/statement.json", &shown);
    }

    #[test]
    fn what_is_read_is_what_was_told() {
        let statement = Statement::parse(&document(&image(), &build(Seen::Found))).unwrap();
        assert!(statement.is_about(Sha256::of(b"image")));
        assert!(!statement.is_about(Sha256::of(b"another")));
        assert_eq!(statement.source(), Sha256::of(b"source"));
        assert_eq!((statement.label(), statement.language()), ("asset_1.0", "node"));
        assert_eq!(statement.seen(), "found");
        let parts: Vec<_> = statement.dependencies().iter().map(|part| &part.name).collect();
        assert_eq!(parts, ["source", "base", "runtime", "toolchain"]);
    }

    #[test]
    fn a_compiler_of_this_machine_has_a_version_and_no_digest() {
        let toolchain = Some(Ingredient { name: "go1.26.8".to_owned(), digest: None });
        let build = Build { runtime: None, toolchain, ..build(Seen::Built) };
        let statement = Statement::of(&image(), &build);
        assert_eq!(statement.toolchain(), Some("go1.26.8"));
        assert_eq!(statement.dependencies().len(), 2);
    }

    #[test]
    fn what_is_no_such_statement() {
        let json = String::from_utf8(document(&image(), &build(Seen::Built))).unwrap();
        for (other, reason) in [
            ("{}".to_owned(), "missing field"),
            (json.replace(PREDICATE, "https://spdx.dev/Document"), "`https://spdx.dev/Document`"),
            (json.replace(BUILD, "https://example.com/build"), "`https://example.com/build`"),
        ] {
            let told = Statement::parse(other.as_bytes()).unwrap_err();
            assert!(told.contains(reason), "{told}");
        }
    }
}
