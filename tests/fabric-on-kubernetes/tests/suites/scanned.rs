//! A public scanner's opinion on every object that Selvedge ships or makes: what it objects to, the
//! documentation has with a reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use testbed::dist::workspace_dir;
use testbed::scanner::Scanner;

use crate::manifests::{Manifests, Way};

/// Where the objections are that stay.
const ACCEPTED: &str = "docs/security-scan.md";

/// What launchers make, as files that hold it.
const MADE: [(&str, &str); 2] =
    [("chaincode", "manifest/tests/golden"), ("build", "launcher/tests/golden")];

/// A check and the kind of object that it objects to.
type Objection = (String, String);

/// The rows of the documentation's table.
fn accepted() -> BTreeSet<Objection> {
    let text = fs::read_to_string(workspace_dir().join(ACCEPTED)).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| {
        let mut cells = row.split('|').skip(1);
        let (checks, places) = (cells.next().unwrap(), cells.next().unwrap());
        let checks: Vec<_> = checks.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let places = places.split(',').map(|place| place.trim().to_owned());
        places.flat_map(move |place| {
            checks.clone().into_iter().map(move |check| (check, place.clone()))
        })
    })
    .collect()
}

/// Copies what launchers make beside the rest, each kind by its name.
fn add_made(to: &Path) {
    for (kind, golden) in MADE {
        for entry in fs::read_dir(workspace_dir().join(golden)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            fs::copy(&path, to.join(format!("{kind}-{name}"))).unwrap();
        }
    }
}

#[test]
fn nothing_is_objected_to_but_what_the_documentation_has_with_a_reason() {
    let scanner = Scanner::obtain(&mut |line| eprintln!("{line}")).unwrap();
    let manifests = Manifests::new();
    let scanned = manifests.dir().join("scanned");
    fs::create_dir(&scanned).unwrap();
    for (name, objects) in [
        ("peer-own.yaml", manifests.kustomized(Way::OwnNamespace)),
        ("peer-same.yaml", manifests.kustomized(Way::SameNamespace)),
        ("peer-registry.yaml", manifests.kustomized(Way::OwnRegistry)),
        ("peer-chart.yaml", manifests.charted(&[])),
    ] {
        fs::write(scanned.join(name), objects.text()).unwrap();
    }
    let address = "api-server-address.yaml";
    let to = scanned.join(format!("administrator-{address}"));
    fs::copy(workspace_dir().join("images/kubernetes").join(address), to).unwrap();
    add_made(&scanned);

    let findings = scanner.scan(&scanned).unwrap();
    let found: BTreeSet<Objection> = findings
        .iter()
        .map(|finding| {
            let name = finding.file.trim_start_matches('/');
            let kind = name.split_once('-').map_or(name, |(kind, _)| kind);
            (finding.check.clone(), kind.to_owned())
        })
        .collect();
    let accepted = accepted();
    let new: Vec<_> = found.difference(&accepted).collect();
    assert!(new.is_empty(), "not in {ACCEPTED}: {new:?}\n{findings:#?}");
    let gone: Vec<_> = accepted.difference(&found).collect();
    assert!(gone.is_empty(), "in {ACCEPTED}, but not found: {gone:?}");
}
