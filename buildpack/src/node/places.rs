//! Dependencies by a place in the file system, and not by a version.

use std::collections::BTreeSet;

use super::files::{has, has_directory, normal};
use super::package_json::PackageJson;
use crate::archive::{self, EntryPath};

/// How package managers are told a path.
const KINDS: [&str; 3] = ["file:", "link:", "portal:"];

/// A dependency by what is no part of the source: it would be missing, or be files of the machine
/// that builds.
#[derive(Debug)]
pub(super) struct Outside {
    pub(super) name: String,
    /// Where it is said to be.
    pub(super) place: String,
}

/// The first dependency that is outside; none if all can be had.
pub(super) fn outside(package: &PackageJson, files: &BTreeSet<EntryPath>) -> Option<Outside> {
    let leads_out = |place: &str| path_of(place).is_some_and(leads_out);
    let missing = |place: &str| path_of(place).is_some_and(|path| !lies_in(files, path));
    // Only of those is it known that nothing can be without them, or makes them later.
    let mut needed = package.dependencies.iter().filter(|(_, place)| !place.starts_with("link:"));
    let found = package
        .all_dependencies()
        .find(|(_, place)| leads_out(place))
        .or_else(|| needed.find_map(|(name, place)| missing(place).then_some((&**name, &**place))));
    found.map(|(name, place)| Outside { name: name.to_owned(), place: place.to_owned() })
}

/// What an install makes links to; none if there is nothing of that kind.
pub(super) fn linked(package: &PackageJson, files: &BTreeSet<EntryPath>) -> Option<String> {
    if package.has_workspaces {
        return Some("workspaces".to_owned());
    }
    let is_directory = |path: &str| has_directory(files, &normal(path));
    let found = package.at_run_time().find(|(_, place)| path_of(place).is_some_and(is_directory));
    found.map(|(_, place)| format!("dependencies in `{}`", place.escape_debug()))
}

/// The path that a dependency is said to be at, if it is one (`lib/npa.js` of npm-package-arg).
fn path_of(place: &str) -> Option<&str> {
    let place = place.trim();
    let drive = place.as_bytes().get(1) == Some(&b':');
    let bare = place.starts_with(['.', '/']) || place.starts_with("~/") || drive;
    KINDS.iter().find_map(|kind| place.strip_prefix(kind)).or(bare.then_some(place))
}

/// Whether a path, seen from the chaincode's directory, lies outside of it. There are no links in it.
fn leads_out(path: &str) -> bool {
    path.starts_with(['/', '~']) || path.contains(['\\', ':']) || archive::leads_out(0, path)
}

/// Whether there is something at a path, as far as it is written plainly.
fn lies_in(files: &BTreeSet<EntryPath>, path: &str) -> bool {
    let name = normal(path);
    let plain = !name.is_empty() && !name.contains('%') && !path.contains("..");
    !plain || has(files, &name) || has_directory(files, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(text: &str) -> PackageJson {
        PackageJson::parse(text.as_bytes()).unwrap()
    }

    fn files() -> BTreeSet<EntryPath> {
        let names = ["src/package.json", "src/lib/package.json", "src/native.tgz"];
        names.iter().map(|name| EntryPath::parse(name.as_bytes()).unwrap()).collect()
    }

    #[test]
    fn places_outside() {
        for (place, out) in [
            ("^1.0.0", false),
            ("npm:other@1", false),
            ("git+ssh://git@example.com/lib", false),
            ("./lib", false),
            ("file:lib/../native.tgz", false),
            ("file:native.tgz", false),
            ("link:./made-later", false),
            ("./absent", true),
            ("file:absent.tgz", true),
            ("../lib", true),
            ("file:a/../../b", true),
            ("/lib", true),
            ("~/lib", true),
            ("C:/lib", true),
            ("file:..\\lib", true),
        ] {
            let text = format!(r#"{{"dependencies": {{"lib": {place:?}}}}}"#);
            assert_eq!(outside(&package(&text), &files()).is_some(), out, "{place}");
        }
        for (field, place, out) in [
            ("optionalDependencies", "../lib", true),
            ("optionalDependencies", "./absent", false),
            ("devDependencies", "../lib", true),
        ] {
            let text = format!(r#"{{"{field}": {{"lib": "{place}"}}}}"#);
            assert_eq!(outside(&package(&text), &files()).is_some(), out, "{field} {place}");
        }
    }

    #[test]
    fn what_is_linked() {
        for (text, told) in [
            (r#"{"workspaces": ["lib"]}"#, Some("workspaces")),
            (r#"{"workspaces": {"packages": ["lib"]}}"#, Some("workspaces")),
            (r#"{"dependencies": {"lib": "file:./lib"}}"#, Some("dependencies in `file:./lib`")),
            (r#"{"workspaces": [], "dependencies": {"native": "file:native.tgz"}}"#, None),
        ] {
            assert_eq!(linked(&package(text), &files()).as_deref(), told, "{text}");
        }
    }
}
