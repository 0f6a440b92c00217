//! What is made of the types: the schema, the whole file, the reference.

use std::fs;
use std::path::Path;

use selvedge_config::{BackendKind, Chaincode, Operator, default_file, reference, schema_of_types};

/// Compares with a file of the repository, or writes it where the environment says so.
fn is_up_to_date(file: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, made).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == made,
        "{file} is out of date: run the tests of selvedge-config with UPDATE_GOLDEN=1"
    );
}

#[test]
fn the_schema_is_up_to_date() {
    is_up_to_date("config/schema.json", &format!("{:#}\n", schema_of_types()));
}

#[test]
fn the_reference_is_up_to_date() {
    is_up_to_date("docs/operators-file.md", &reference());
}

#[test]
fn the_whole_file_is_the_defaults() {
    for backend in [BackendKind::Local, BackendKind::Kubernetes] {
        let text = default_file(backend);
        let operator =
            Operator::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        assert_eq!(operator.backend(), backend);
        assert_eq!(operator.defaults(), &Chaincode::default());
        assert_eq!(operator.builds(), Operator::default().builds());
    }
}

#[test]
fn every_key_is_told_of() {
    let page = reference();
    let lines: Vec<&str> = page.lines().collect();
    let headings = lines.iter().enumerate().filter(|(_, line)| line.starts_with("##"));
    let untold = headings.filter(|(number, _)| {
        let what = lines[number + 2];
        what.is_empty() || what.starts_with(['*', '#'])
    });
    assert_eq!(untold.collect::<Vec<_>>(), []);
}
