//! Packages that name an image: made, looked at, refused for every reason there is.

use std::fs;
use std::path::Path;

use crafted::{Crafted, package};
use selvedge_buildpack::archive::EntryPath;
use selvedge_buildpack::package::{
    Dependencies, Draft, DraftError, Elsewhere, Existing, Inspection, Interrupt, Packed, RefusedBy,
    Report, write,
};
use selvedge_buildpack::source::Source;

use crate::chaincode::{GO_MOD, INDEX, MAIN_GO, tree};

const METADATA: &str = r#"{"type":"k8s","label":"go-contract"}"#;

const IMAGE: &str = r#"{
  "name": "ghcr.io/hyperledger-labs/go-contract",
  "digest": "sha256:802c336235cc1e7347e2da36c73fa2e4b6437cfc6f52872674d1e23f23bba63b"
}
"#;

const NAMED: &str = "ghcr.io/hyperledger-labs/go-contract@\
                     sha256:802c336235cc1e7347e2da36c73fa2e4b6437cfc6f52872674d1e23f23bba63b";

const AN_INDEX: &str = "META-INF/statedb/couchdb/indexes/owner.json";

fn pack(directory: &Path, output: &Path) -> Packed {
    let draft = Draft::collect(directory, Dependencies::Installed).unwrap();
    let label = "go-contract_1.0".parse().unwrap();
    write(&draft, &label, output, Existing::Keep, &Interrupt::default()).unwrap()
}

fn report(content: &[u8]) -> Report {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("some.tar.gz");
    fs::write(&file, content).unwrap();
    Inspection::of(&file, &Interrupt::default()).unwrap().report
}

/// The image that is named.
fn image(elsewhere: Option<&Elsewhere>) -> String {
    let Some(Elsewhere::Image(image)) = elsewhere else { panic!("{elsewhere:?} names no image") };
    image.to_string()
}

/// As `tar -czf code.tar.gz image.json` and what follows make it in fabric-builder-k8s'
/// `docs/tutorials/package-chaincode.md`.
fn documented(image: &str) -> Vec<u8> {
    package(METADATA, [Crafted::file("image.json", image)])
}

#[test]
fn what_is_made_for_fabric_builder_k8s_is_fine() {
    let report = report(&documented(IMAGE));
    assert_eq!(report.refusals, []);
    assert_eq!(image(report.elsewhere.as_ref()), NAMED);
}

#[test]
fn what_names_no_image_is_refused_by_selvedge_with_the_reason() {
    let image = |json| Crafted::file("image.json", json);
    for (code, file, reason) in [
        (image("{"), "image.json", "is not a JSON object"),
        (image(r#"{"digest":"a"}"#), "image.json", "has no `name`"),
        (image(r#"{"name":"a","tag":"1"}"#), "image.json", "has no `digest`"),
        (Crafted::file("image.jsn", IMAGE), "code.tar.gz", "the code has no image.json at its top"),
        (Crafted::file("src/image.json", IMAGE), "code.tar.gz", " (but src/image.json)"),
    ] {
        let report = report(&package(METADATA, [code]));
        assert_eq!(report.elsewhere, None);
        let [refusal] = &report.refusals[..] else { panic!("{:?}", report.refusals) };
        assert_eq!((refusal.by, refusal.file.as_str()), (RefusedBy::Selvedge, file));
        assert!(refusal.reason.contains(reason), "{}", refusal.reason);
    }
}

#[test]
fn same_image_same_package_id() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    tree(one.path(), &[("image.json", IMAGE), (AN_INDEX, INDEX), ("README.md", "text")]);
    tree(two.path(), &[("image.json", IMAGE), (AN_INDEX, INDEX), (".env", "secret")]);
    let first = pack(one.path(), &one.path().join("out.tar.gz"));
    let second = pack(two.path(), &two.path().join("out.tar.gz"));
    assert_eq!(first.id, second.id);
    // Changing this changes the ID of every package that anybody makes: do it on purpose.
    assert_eq!(
        first.id.to_string(),
        "go-contract_1.0:ffbdc050d156adc4958888a87c32f27e973156e531ab41f9b9d394050bfdeb25"
    );
    // The package of the first time stays out.
    let draft = Draft::collect(one.path(), Dependencies::Installed).unwrap();
    let left_out: Vec<_> =
        draft.left_out.iter().map(|out| (out.path.as_str(), out.reason)).collect();
    let useless = "of no use to who runs an image";
    assert_eq!(left_out, [("README.md", useless), ("out.tar.gz", useless)]);

    let inspection = Inspection::of(&one.path().join("out.tar.gz"), &Interrupt::default()).unwrap();
    let report = &inspection.report;
    assert_eq!(report.refusals, []);
    assert_eq!(image(report.elsewhere.as_ref()), NAMED);
    assert_eq!(report.indexes.len(), 1);
    let paths = Source::open(inspection.code()).unwrap().paths();
    let paths: Vec<_> = paths.iter().map(EntryPath::as_str).collect();
    assert_eq!(paths, [AN_INDEX, "image.json"]);
}

#[test]
fn a_directory_that_names_no_image_is_told_why() {
    for (json, reason) in [("{}", "no `name`"), (r#"{"name":"a","digest":"1.0"}"#, "the tag 1.0")] {
        let directory = tempfile::tempdir().unwrap();
        tree(directory.path(), &[("image.json", json)]);
        let error =
            Draft::collect(directory.path(), Dependencies::Installed).unwrap_err().to_string();
        assert!(error.contains("/image.json has ") && error.contains(reason), "{error}");
    }
}

#[test]
fn a_directory_is_for_an_image_or_for_a_server() {
    let directory = tempfile::tempdir().unwrap();
    tree(directory.path(), &[("image.json", IMAGE), ("connection.json", r#"{"address":"a:1"}"#)]);
    let error = Draft::collect(directory.path(), Dependencies::Installed).unwrap_err();
    assert!(matches!(error, DraftError::Both { .. }), "{error}");
}

#[test]
fn go_beside_an_image_json_is_go_and_that_is_told() {
    let directory = tempfile::tempdir().unwrap();
    tree(directory.path(), &[("image.json", "{}"), ("go.mod", GO_MOD), ("main.go", MAIN_GO)]);
    let draft = Draft::collect(directory.path(), Dependencies::Installed).unwrap();
    assert_eq!((draft.kind.name(), draft.elsewhere), ("golang", None));
    let told: Vec<_> = draft.remarks.iter().map(|told| (&*told.file, &*told.text)).collect();
    let text = "is source here, which no peer reads: in a directory of its own it makes a package of \
                type k8s";
    assert_eq!(told, [("image.json", text)]);
    assert!(draft.files.iter().any(|file| file.path.as_str() == "src/image.json"));
}
