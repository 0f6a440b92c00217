//! The packages of a Node program: those that lie in its directories `node_modules`, whichever package
//! manager put them there, and what npm's lock file has to say of them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::component::{Component, Kind, is_sane};

/// Where packages lie.
const DEPENDENCIES: &str = "node_modules";

/// What says what a package is.
const PACKAGE: &str = "package.json";

/// npm's lock file.
const LOCK: &str = "package-lock.json";

/// What a package says of itself. Of no other type than npm wants, or as good as not there.
#[derive(Deserialize)]
struct PackageJson {
    #[serde(default)]
    name: Value,
    #[serde(default)]
    version: Value,
}

/// What the lock file says (`package-lock.json` in npm's documentation), since npm 7.
#[derive(Default, Deserialize)]
struct Lock {
    #[serde(default)]
    packages: BTreeMap<String, Locked>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Locked {
    version: Value,
    resolved: Value,
    integrity: Value,
}

/// The packages of a program.
#[derive(Default)]
pub(super) struct Packages {
    /// By the directories in which they lie; that of the program itself has no name.
    found: BTreeMap<String, (String, Option<String>)>,
    lock: Lock,
}

impl Packages {
    /// Whether a file, by its path in the chaincode's directory, tells of packages.
    pub(super) fn reads(place: &str) -> bool {
        place == LOCK || package_of(place).is_some()
    }

    /// Takes what a file says.
    pub(super) fn take(&mut self, place: &str, text: &[u8]) {
        // Editors put it there, and npm passes over it.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if place == LOCK {
            self.lock = serde_json::from_slice(text).unwrap_or_default();
        } else if let Some(directory) = package_of(place)
            && let Ok(package) = serde_json::from_slice::<PackageJson>(text)
            && let Some(name) = package.name.as_str()
        {
            let version = package.version.as_str();
            if [Some(name), version].into_iter().flatten().all(is_sane) {
                let said = (name.to_owned(), version.map(str::to_owned));
                self.found.insert(directory.to_owned(), said);
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// What they are.
    pub(super) fn components(&self) -> impl Iterator<Item = Component> + use<'_> {
        self.found.iter().filter_map(|(directory, (name, version))| {
            let kind = if directory.is_empty() { Kind::Application } else { Kind::Library };
            let (group, name) = match name.split_once('/') {
                Some((scope, name)) => (Some(scope), name),
                None => (None, name.as_str()),
            };
            let package = Component::package(kind, "npm", group, name, version.as_deref())?;
            Some(
                match self
                    .lock
                    .packages
                    .get(directory)
                    .and_then(|lock| lock.origin(version.as_deref()))
                {
                    Some((url, sha512)) => package.from(url, &sha512),
                    None => package,
                },
            )
        })
    }
}

impl Locked {
    /// Where the package of this version is from, and the SHA-512 of what npm finds there. What is in
    /// the address besides the place may be a credential.
    fn origin(&self, version: Option<&str>) -> Option<(&str, Vec<u8>)> {
        if self.version.as_str() != version {
            return None;
        }
        let url = self.resolved.as_str()?;
        let place = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
        if place.split('/').next()?.contains('@') {
            return None;
        }
        let url = url.split(['?', '#']).next()?;
        let mut sums = self.integrity.as_str()?.split_whitespace();
        let sha512 = sums.find_map(|sum| sum.strip_prefix("sha512-"))?;
        Some((url, BASE64_STANDARD.decode(sha512).ok().filter(|sum| sum.len() == 64)?))
    }
}

/// The directory of the package that a file tells of; none of a file that tells of none. Packages
/// have such files in directories of their own, too.
fn package_of(place: &str) -> Option<&str> {
    if place == PACKAGE {
        return Some("");
    }
    let directory = place.strip_suffix(PACKAGE)?.strip_suffix('/')?;
    let (above, name) = directory.rsplit_once('/')?;
    let above = match above.rsplit_once('/') {
        Some((above, scope)) if scope.starts_with('@') => above,
        _ => above,
    };
    let is_package = !name.starts_with('@') && above.rsplit('/').next() == Some(DEPENDENCIES);
    is_package.then_some(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(files: &[(&str, &str)]) -> Vec<String> {
        let mut packages = Packages::default();
        for (place, text) in files {
            assert!(Packages::reads(place), "{place}");
            packages.take(place, text.as_bytes());
        }
        packages.components().map(|package| package.reference().to_owned()).collect()
    }

    #[test]
    fn where_packages_lie() {
        for (place, directory) in [
            ("package.json", Some("")),
            ("node_modules/a/package.json", Some("node_modules/a")),
            ("node_modules/@s/a/package.json", Some("node_modules/@s/a")),
            ("node_modules/a/node_modules/b/package.json", Some("node_modules/a/node_modules/b")),
            (
                "node_modules/.pnpm/a@1/node_modules/a/package.json",
                Some("node_modules/.pnpm/a@1/node_modules/a"),
            ),
            ("node_modules/a/dist/esm/package.json", None),
            ("node_modules/@s/package.json", None),
            ("node_modules/package.json", None),
            ("lib/package.json", None),
            ("node_modules/a/other.json", None),
        ] {
            assert_eq!(package_of(place), directory, "{place}");
        }
    }

    #[test]
    fn what_packages_say_of_themselves() {
        assert_eq!(
            references(&[
                ("package.json", "\u{feff}{\"name\":\"asset\",\"version\":\"1.0.0\"}"),
                (
                    "node_modules/@grpc/grpc-js/package.json",
                    r#"{"name":"@grpc/grpc-js","version":"1.2.3"}"#
                ),
                ("node_modules/bare/package.json", r#"{"name":"bare"}"#),
                ("node_modules/odd/package.json", r#"{"name":"odd","version":7}"#),
                ("node_modules/none/package.json", r#"{"version":"1.0.0"}"#),
                ("node_modules/evil/package.json", r#"{"name":"evil\u001b[2J","version":"1.0.0"}"#),
                ("node_modules/broken/package.json", "{"),
            ]),
            ["pkg:npm/asset@1.0.0", "pkg:npm/%40grpc/grpc-js@1.2.3", "pkg:npm/bare", "pkg:npm/odd",]
        );
    }

    #[test]
    fn what_a_lock_file_says_of_them() {
        let sum = BASE64_STANDARD.encode([7; 64]);
        let of = |resolved: &str, version: &str| {
            let locked = Locked {
                version: version.into(),
                resolved: resolved.into(),
                integrity: format!("sha1-abc= sha512-{sum}").into(),
            };
            locked.origin(Some("1.0.0")).map(|(url, sum)| (url.to_owned(), sum.len()))
        };
        let registry = "https://registry.example.com/a/-/a-1.0.0.tgz";
        assert_eq!(of(registry, "1.0.0"), Some((registry.to_owned(), 64)));
        assert_eq!(of(&format!("{registry}?token=x#y"), "1.0.0"), Some((registry.to_owned(), 64)));
        let scoped = "https://registry.example.com/@s/a/-/a-1.0.0.tgz";
        assert_eq!(of(scoped, "1.0.0"), Some((scoped.to_owned(), 64)));
        for (resolved, version) in [
            (registry, "1.0.1"),
            ("https://user:secret@registry.example.com/a.tgz", "1.0.0"),
            ("git+ssh://git@example.com/a.git", "1.0.0"),
            ("../beside", "1.0.0"),
        ] {
            assert_eq!(of(resolved, version), None, "{resolved}");
        }
    }
}
