//! `detect`: what is ours, what is not, and what can not be told.

use std::time::Instant;

use crate::{executable::call, sandbox::Sandbox};

fn detect(sandbox: &Sandbox) -> (i32, String) {
    let outcome = call("detect", &[&sandbox.path("src"), &sandbox.path("meta")]);
    (outcome.code, outcome.lines.join("\n"))
}

#[test]
fn go_is_ours() {
    assert_eq!(detect(&Sandbox::new()), (0, String::new()));
}

/// In any case, and whatever else is in the package, as Fabric's own builder has it
/// (`ccaas_builder/cmd/detect/main.go`).
#[test]
fn what_is_served_elsewhere_is_ours() {
    for metadata in [r#"{"type":"ccaas","label":"a"}"#, r#"{"TYPE":"CCaaS"}"#] {
        let sandbox = Sandbox::new();
        sandbox.write("meta/metadata.json", metadata);
        assert_eq!(detect(&sandbox), (0, String::new()), "{metadata}");
    }
}

#[test]
fn the_launcher_is_not_waited_for() {
    let began = Instant::now();
    detect(&Sandbox::new());
    assert!(began.elapsed().as_millis() < 1000, "{:?}", began.elapsed());
}

/// fabric-builder-k8s compares the type in lower case (`internal/builder/detect.go`), and looks at
/// nothing but the metadata: a package without an image fails its build, with the reason.
#[test]
fn images_are_ours_in_any_case() {
    for metadata in [
        r#"{"type":"k8s","label":"go-contract"}"#,
        r#"{"type":"K8S","label":"go-contract"}"#,
        r#"{"Label":"go-contract","Type":"K8s"}"#,
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("meta/metadata.json", metadata);
        assert_eq!(detect(&sandbox), (0, String::new()), "{metadata}");
    }
}

/// Go's reader takes keys in any case, the last of two, and null for nothing.
#[test]
fn metadata_means_what_it_means_to_the_peer() {
    for metadata in [
        r#"{"Path":"example.org/basic","Type":"golang","Label":"capital_1.0"}"#,
        r#"{"type":"GOLANG","path":null,"label":"upper_1.0"}"#,
        r#"{"type":"cobol","label":"a","label":"b","type":"golang"}"#,
        r#"{"type":"node","label":"a"}"#,
        r#"{"type":"golang","type":null,"more":[1e999]}"#,
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("meta/metadata.json", metadata);
        assert_eq!(detect(&sandbox), (0, String::new()), "{metadata}");
    }
}

#[test]
fn other_languages_are_declined_without_a_word() {
    for metadata in [
        r#"{"type":"cobol","label":"a"}"#,
        r#"{"type":"external"}"#,
        r#"{"type":"ccaas "}"#,
        r#"{"type":"k8"}"#,
        r#"{"type":""}"#,
        "{}",
        r#"{"type":"golang","TYPE":"rust"}"#,
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("meta/metadata.json", metadata);
        assert_eq!(detect(&sandbox), (1, String::new()), "{metadata}");
    }
}

#[test]
fn metadata_that_says_nothing_is_named() {
    let large = format!(r#"{{"type":"golang","more":"{}"}}"#, "x".repeat(1 << 20));
    for (metadata, reason) in [
        ("", "is not a JSON object"),
        ("{", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        (r#"{"type":5}"#, "is not a JSON object"),
        ("\u{0}", "is not a JSON object"),
        (&large, "is larger than 1048576 bytes"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("meta/metadata.json", metadata);
        let (code, line) = detect(&sandbox);
        assert_eq!(code, 2, "{line}");
        assert!(line.contains(&format!("meta/metadata.json {reason}")), "{line}");
    }
}

#[test]
fn missing_metadata_is_named() {
    let outcome = call("detect", &[&Sandbox::new().path("src"), &Sandbox::new().path("none")]);
    assert_eq!(outcome.code, 2);
    assert_eq!(outcome.lines.len(), 1);
    assert!(outcome.reason().starts_with("cannot read "), "{}", outcome.reason());
    assert!(outcome.reason().contains("none/metadata.json: No such file"), "{}", outcome.reason());
}

#[test]
fn every_executable_says_how_it_is_called() {
    let here = Sandbox::new().path("src");
    for (name, usage) in [
        ("detect", "usage: detect SRC META (2 directories, not 1)"),
        ("build", "usage: build SRC META OUT (3 directories, not 1)"),
        ("release", "usage: release OUT REL (2 directories, not 1)"),
        ("run", "usage: run OUT RUNMETA (2 directories, not 1)"),
    ] {
        let outcome = call(name, &[&here]);
        assert_eq!(outcome.code, 2, "{name}");
        assert!(outcome.reason().starts_with(usage), "{}", outcome.reason());
    }
}
