//! The direction of the imports between the files of a crate, for the whole workspace.
//!
//! What counts is what a reader would draw, file by file:
//!
//! - A file imports another when it names something that is defined there, in a `use` or in the
//!   middle of its code. Through how many re-exports it does so is of no matter.
//! - To declare a child (`mod child;`), or to pass on what it defines (`pub use child::Thing;`), is
//!   no import. To use the thing is.
//! - A parent and its child are two files like any others: a child that names what its parent
//!   defines imports the parent, and then the parent must do without that child.
//! - What is compiled for tests alone is left out: a test looks into whatever it tests.

mod circle;
mod reader;

use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use circle::circles;
use reader::Crate;

/// The workspace's directory, and the first file of each library, program and test in it.
fn workspace() -> (PathBuf, Vec<PathBuf>) {
    let mut cargo = Command::new(env!("CARGO"));
    let output = cargo.args(["metadata", "--no-deps", "--format-version=1"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let path = |value: &Value| PathBuf::from(value.as_str().unwrap());
    let packages = metadata["packages"].as_array().unwrap();
    let targets = packages.iter().flat_map(|package| package["targets"].as_array().unwrap());
    let roots = targets.map(|target| path(&target["src_path"])).collect();
    (path(&metadata["workspace_root"]), roots)
}

#[test]
fn no_file_imports_one_that_imports_it() {
    let (root, targets) = workspace();
    let mut files = 0;
    let mut report = String::new();
    for target in targets {
        let read = Crate::read(&target);
        files += read.modules.len();
        for circle in circles(&read) {
            writeln!(report, "{}", circle.told(&root)).unwrap();
        }
    }
    assert!(files > 300, "only {files} modules were read");
    assert!(report.is_empty(), "files import each other in a circle:\n{report}");
}

/// A crate of these files, read.
fn crate_of(files: &[(&str, &str)]) -> (tempfile::TempDir, Crate) {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let read = Crate::read(&directory.path().join("lib.rs"));
    (directory, read)
}

fn told(files: &[(&str, &str)]) -> Vec<String> {
    let (directory, read) = crate_of(files);
    circles(&read).iter().map(|circle| circle.told(directory.path())).collect()
}

#[test]
fn a_circle_is_told_with_what_makes_it_one() {
    let found = told(&[
        ("lib.rs", "mod face; mod one; mod two;"),
        ("face.rs", "mod inner; pub use inner::Thing;"),
        ("face/inner.rs", "pub struct Thing; fn f() { tokio::select!(_ = crate::one::f() => {}) }"),
        ("one.rs", "use std::io; use crate::{two::{self as other, Two}}; pub fn f() {}"),
        ("two.rs", "pub struct Two(super::face::Thing);"),
    ]);
    let expected = "face/inner.rs\n  -> one.rs, by crate::one::f\n  -> two.rs, by crate::two\n  \
                    -> face/inner.rs, by super::face::Thing\n";
    assert_eq!(found, [expected]);
}

#[test]
fn a_parent_and_its_child_make_a_circle() {
    let child = ("face/inner.rs", "use super::Given; pub struct Made(Given);");
    let parent = |code| [("lib.rs", "mod face;"), ("face.rs", code), child];
    let taken = "mod inner; pub struct Given; fn f(made: inner::Made) {}";
    assert_eq!(told(&parent(taken)).len(), 1);
    let used_after_passing_on =
        "mod inner; pub struct Given; pub use inner::Made; impl Made { fn f() {} }";
    assert_eq!(told(&parent(used_after_passing_on)).len(), 1);
    let passed_on = "mod inner; pub struct Given; pub use inner::Made;";
    assert!(told(&parent(passed_on)).is_empty());
}

#[test]
fn what_tests_and_comments_name_is_no_import() {
    let found = told(&[
        ("lib.rs", "mod one; mod two;"),
        (
            "one.rs",
            "/// As [`crate::two::Two`].\npub struct One; const S: &str = \"crate::two::X\";",
        ),
        ("two.rs", "pub struct Two(crate::one::One);\n#[cfg(test)]\nmod tests { use super::*; }"),
        ("one.rs", "pub struct One; // crate::two::Two\n#[cfg(test)] use crate::two::Two;"),
    ]);
    assert_eq!(found, [""; 0]);
}
