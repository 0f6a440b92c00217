//! Metadata as Go's reader takes it: keys in any case, the last of two, null for nothing.

use super::workshop::{PATH, Workshop, metadata, program};
use super::{STAGE, installs};

/// Fabric's own documentation shows capital keys (`docs/source/chaincode_lifecycle.md`); an early
/// packager of the Java SDK wrote them, and put the module below its path.
#[test]
fn keys_in_capitals() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    for (label, path, prefix) in [
        ("capital_1.0", PATH, "src/"),
        ("capital_2.0", "github.com/acme/kv", "src/github.com/acme/kv/"),
    ] {
        let metadata = format!(r#"{{"Path":"{path}","Type":"golang","Label":"{label}"}}"#);
        assert_eq!(workshop.detect(&metadata), Some(0));
        let package = workshop.crafted(label, crafted::package(&metadata, program(prefix)));
        workshop.inspect(&package).is_fine(&[label, "nothing speaks against it"]);
        assert!(installs(&turn, &package).starts_with(&format!("{label}:")));
    }
}

/// The type in capitals is that of the lifecycle of 1.x (`core/chaincode/persistence`); the other
/// two are what Go's `encoding/json` allows.
#[test]
fn values_that_only_go_reads() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    for (metadata, label) in [
        (metadata("upper_1.0").replace("golang", "GOLANG"), "upper_1.0"),
        (metadata("nullpath_1.0").replace(&format!("\"{PATH}\""), "null"), "nullpath_1.0"),
        (metadata("first_1.0").replace('}', r#","label":"second_1.0"}"#), "second_1.0"),
    ] {
        assert_eq!(workshop.detect(&metadata), Some(0), "{metadata}");
        let package = workshop.crafted(label, crafted::package(&metadata, program("src/")));
        workshop.inspect(&package).is_fine(&[label, "nothing speaks against it"]);
        assert!(installs(&turn, &package).starts_with(&format!("{label}:")), "{metadata}");
    }
}
