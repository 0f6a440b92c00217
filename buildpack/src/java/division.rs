//! Which entries of a jar with all that a chaincode needs are the project's own. They and the others
//! become a jar each, of which the first names the second (`Class-Path`), so that a new version of the
//! code leaves the second one as it is.
//!
//! Each file is in one of the two alone, so that whoever asks for it is given the same as of the one
//! jar; a directory is in each that has a file below it, for those who look for classes by it.

use std::collections::BTreeSet;
use std::path::Path;

use super::manifest::Manifest;

/// The entry that says how a jar is started.
pub(super) const MANIFEST: &str = "META-INF/MANIFEST.MF";

/// A list of what is in which jar, beside which no `Class-Path` counts.
const INDEX: &str = "META-INF/INDEX.LIST";

/// Where a jar that says so (`Multi-Release`) has other classes for newer Javas, below the version.
const VERSIONS: &str = "META-INF/versions/";

/// The extensions of signatures, which are of one jar.
const SIGNATURES: [&str; 4] = ["SF", "RSA", "DSA", "EC"];

/// The entries of both jars, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Division {
    /// The project's own.
    pub(super) own: BTreeSet<usize>,
    /// The others.
    pub(super) others: BTreeSet<usize>,
}

/// Divides a jar with these entries, a manifest going into both; none if it is to stay one: a manifest
/// that is not known as a whole cannot be written anew, what is sealed or signed would not be loaded,
/// a loader that opens its own jar for the jars in it might look into the wrong one, and without
/// classes of the project there is nothing to gain.
pub(super) fn divide(
    names: &[String],
    manifest: &Manifest,
    is_own: impl Fn(&str) -> bool,
) -> Option<Division> {
    if !manifest.can_change() || manifest.seals() || names.iter().any(|name| keeps_whole(name)) {
        return None;
    }
    // Of what there is for several versions of Java, one jar decides which is taken.
    let own: BTreeSet<&str> =
        names.iter().filter(|name| is_own(name)).map(|name| of_any_version(name)).collect();
    let is_own = |name: &str| own.contains(of_any_version(name));
    let mut division = Division::default();
    let (mut own_directories, mut other_directories) = (BTreeSet::new(), BTreeSet::new());
    let files = || names.iter().enumerate().filter(|(_, name)| !name.ends_with('/'));
    for (number, name) in files() {
        // Each gets one of its own.
        if name == MANIFEST {
            division.own.insert(number);
            division.others.insert(number);
        } else if is_own(name) {
            division.own.insert(number);
            own_directories.extend(directories(name));
        } else {
            division.others.insert(number);
            other_directories.extend(directories(name));
        }
    }
    let has_class = division.own.iter().any(|number| is_class(&names[*number]));
    if !has_class || division.others.len() < 2 {
        return None;
    }
    for (number, name) in names.iter().enumerate().filter(|(_, name)| name.ends_with('/')) {
        let is_below_others = other_directories.contains(name.as_str());
        if is_below_others {
            division.others.insert(number);
        }
        // One without files is for the jar that is another each time anyway.
        if own_directories.contains(name.as_str()) || !is_below_others {
            division.own.insert(number);
        }
    }
    Some(division)
}

/// Whether an entry is a class.
pub(super) fn is_class(name: &str) -> bool {
    extension(name) == Some("class")
}

/// Whether a jar with this entry has to stay one.
fn keeps_whole(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let is_signature = upper.strip_prefix("META-INF/").is_some_and(|below| {
        let is_named = extension(below).is_some_and(|extension| SIGNATURES.contains(&extension));
        (is_named || below.starts_with("SIG-")) && !below.contains('/')
    });
    upper == INDEX || extension(&upper) == Some("JAR") || is_signature
}

fn extension(name: &str) -> Option<&str> {
    Path::new(name).extension()?.to_str()
}

/// The name by which something is asked for, whatever version of Java it is for.
fn of_any_version(name: &str) -> &str {
    let below = name.strip_prefix(VERSIONS).and_then(|below| below.split_once('/'));
    match below {
        Some((version, name)) if version.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => name,
    }
}

/// The entries of the directories above a file.
fn directories(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(end, slash)| &name[..end + slash.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(names: &[&str], manifest: &str, own: &[&str]) -> Option<[Vec<String>; 2]> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let manifest = Manifest::parse(manifest.as_bytes());
        let division = divide(&names, &manifest, |name| own.contains(&name))?;
        let of = |numbers: BTreeSet<usize>| numbers.iter().map(|n| names[*n].clone()).collect();
        Some([of(division.own), of(division.others)])
    }

    const NAMES: [&str; 9] = [
        MANIFEST,
        "META-INF/",
        "META-INF/services/a.Service",
        "a/",
        "a/b/",
        "a/b/Own.class",
        "a/c/",
        "a/c/Other.class",
        "empty/",
    ];

    #[test]
    fn each_file_is_in_one_of_the_two() {
        let [own, others] = divided(&NAMES, "", &["a/b/Own.class"]).unwrap();
        assert_eq!(own, [MANIFEST, "a/", "a/b/", "a/b/Own.class", "empty/"]);
        let expected =
            [MANIFEST, "META-INF/", NAMES[2], "a/", "a/c/", "a/c/Other.class"].map(str::to_owned);
        assert_eq!(others, expected);
        // What was put together of several services' files is whole wherever it is.
        let [own, _] = divided(&NAMES, "", &["a/b/Own.class", NAMES[2]]).unwrap();
        assert_eq!(own[..3], [MANIFEST, "META-INF/", NAMES[2]]);
    }

    #[test]
    fn a_new_class_changes_nothing_of_the_others() {
        let [_, before] = divided(&NAMES, "", &["a/b/Own.class"]).unwrap();
        let more = [&NAMES[..], &["new/", "new/d/", "new/d/New.class"]].concat();
        let [own, after] = divided(&more, "", &["a/b/Own.class", "new/d/New.class"]).unwrap();
        assert_eq!(before, after);
        assert_eq!(own[own.len() - 3..], ["new/", "new/d/", "new/d/New.class"]);
    }

    #[test]
    fn what_is_for_several_versions_stays_together() {
        let newer = "META-INF/versions/11/a/B.class";
        let names = ["a/B.class", newer, "META-INF/versions/x/a/B.class", "c/D.class"];
        for own in ["a/B.class", newer] {
            let [own, others] = divided(&names, "", &[own]).unwrap();
            assert_eq!(own, ["a/B.class", newer]);
            assert_eq!(others, names[2..]);
        }
    }

    #[test]
    fn what_has_to_stay_one() {
        let own = ["a/b/Own.class"];
        for with in ["META-INF/A.SF", "META-INF/a.rsa", INDEX, "BOOT-INF/lib/a.jar"] {
            assert_eq!(divided(&[&NAMES[..], &[with]].concat(), "", &own), None, "{with}");
        }
        for with in ["META-INF/a/A.SF", "x.SF"] {
            assert!(divided(&[&NAMES[..], &[with]].concat(), "", &own).is_some(), "{with}");
        }
        assert_eq!(divided(&NAMES, "Sealed: true\n", &own), None);
        assert_eq!(divided(&NAMES, "", &[]), None, "nothing is known to be the project's own");
        assert_eq!(divided(&NAMES, "", &[NAMES[2]]), None, "no code of the project's own");
        assert_eq!(divided(&[MANIFEST, own[0]], "", &own), None, "there is nothing else");
    }
}
