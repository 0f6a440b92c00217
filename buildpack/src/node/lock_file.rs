//! What a lock file of npm's says of where packages come from (package-lock.json(5)).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use super::manager::LOCK_FILES;

/// The hash by which npm's cache knows what it has (`lib/content/path.js` in cacache).
const ALGORITHM: &str = "sha512";

/// Of these hosts npm takes an address for that of a repository, clones it, and runs its scripts
/// (`lib/hosts.js` in hosted-git-info).
const REPOSITORIES: [&str; 5] =
    ["bitbucket.org", "gist.github.com", "git.sr.ht", "github.com", "gitlab.com"];

/// Below which a lock file has packages, and packages have others.
const DIRECTORY: &str = "node_modules/";

/// The system that chaincode runs on, as npm has it.
const SYSTEM: &str = "linux";

/// A package's archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Archive {
    /// Where it is fetched from.
    pub(super) url: String,
    /// Where npm's cache has it, relative to that.
    pub(super) place: PathBuf,
}

/// The packages that npm's lock file in `directory` names and that run scripts of their own when they
/// are installed, with the lock file's name; none where it names none, and in what npm 6 wrote, which
/// does not say so.
pub(crate) fn scripted(directory: &Path) -> Option<(&'static str, Vec<String>)> {
    let (name, lock) = lock_file(directory).ok()??;
    let packages = lock.get("packages")?.as_object()?;
    let is_scripted =
        |package: &Value| package.get("hasInstallScript").and_then(Value::as_bool) == Some(true);
    let is_met = |(place, package): &(&String, &Value)| {
        !place.is_empty() && is_scripted(package) && runs_here(package)
    };
    let of_place = |(place, _): (&String, &Value)| {
        place.rsplit_once(DIRECTORY).map_or(&**place, |(_, name)| name).to_owned()
    };
    let mut names: Vec<_> = packages.iter().filter(is_met).map(of_place).collect();
    names.sort();
    names.dedup();
    (!names.is_empty()).then_some((name, names))
}

/// npm's lock file in `directory`, by its name, and what it says.
fn lock_file(directory: &Path) -> io::Result<Option<(&'static str, Value)>> {
    let is_there = |name: &&&str| directory.join(name).is_file();
    let Some(name) = LOCK_FILES[..2].iter().find(is_there) else { return Ok(None) };
    let bytes = fs::read(directory.join(name))?;
    // npm says best what is wrong with it.
    Ok(Some((name, serde_json::from_slice(&bytes).unwrap_or_default())))
}

/// The archives that the lock file in `directory` names with their hashes and that can be fetched
/// without running anything; those for development only `with_development`.
pub(super) fn archives(directory: &Path, with_development: bool) -> io::Result<Vec<Archive>> {
    let Some((_, lock)) = lock_file(directory)? else { return Ok(vec![]) };
    let mut archives = Vec::new();
    match lock.get("packages").and_then(Value::as_object) {
        Some(packages) => {
            for package in packages.values() {
                archives.extend(archive(package, with_development));
            }
        }
        None => collect(lock.get("dependencies"), with_development, &mut archives),
    }
    archives.sort();
    archives.dedup();
    Ok(archives)
}

/// Those of a lock file of npm 6, which nests them as they are installed.
fn collect(dependencies: Option<&Value>, with_development: bool, archives: &mut Vec<Archive>) {
    let dependencies = dependencies.and_then(Value::as_object);
    for package in dependencies.into_iter().flat_map(Map::values) {
        archives.extend(archive(package, with_development));
        collect(package.get("dependencies"), with_development, archives);
    }
}

fn archive(package: &Value, with_development: bool) -> Option<Archive> {
    let text = |field: &str| package.get(field)?.as_str();
    let is_for_development = package.get("dev").and_then(Value::as_bool).unwrap_or_default();
    if is_for_development && !with_development || !runs_here(package) {
        return None;
    }
    let url = text("resolved").filter(|url| is_of_an_archive(url))?;
    let place = place(text("integrity")?)?;
    Some(Archive { url: url.to_owned(), place })
}

/// Whether npm installs a package on this system (`os` of package.json(5)).
fn runs_here(package: &Value) -> bool {
    let systems = package.get("os").and_then(Value::as_array);
    let mut systems = systems.into_iter().flatten().filter_map(Value::as_str).peekable();
    systems.peek().is_none() || systems.any(|name| name == SYSTEM || name.starts_with('!'))
}

/// Where npm's cache has what has these hashes.
fn place(integrity: &str) -> Option<PathBuf> {
    let mut hashes = integrity.split_whitespace().filter_map(|hash| hash.split_once('-'));
    let (_, digest) = hashes.find(|(algorithm, _)| *algorithm == ALGORITHM)?;
    let digest = digest.split('?').next().unwrap_or(digest);
    let digits = hex::encode(BASE64_STANDARD.decode(digest).ok()?);
    if digits.len() != 128 {
        return None;
    }
    let [first, second, rest] = [&digits[..2], &digits[2..4], &digits[4..]];
    Some(Path::new("_cacache/content-v2").join(ALGORITHM).join(first).join(second).join(rest))
}

/// Whether npm takes an address for that of an archive, however it reads it: of what a URL may be
/// written with, nothing is taken that could make it another one.
fn is_of_an_archive(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return false;
    };
    let Some((authority, path)) = rest.split_once('/') else { return false };
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:".contains(c);
    let host = authority.split(':').next().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host);
    !host.is_empty()
        && authority.chars().all(is_plain)
        && path.chars().all(|c| c.is_ascii_graphic() && !"#\\".contains(c))
        && !REPOSITORIES.contains(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";

    fn found(lock: &str, with_development: bool) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("package-lock.json"), lock.replace("HASH", HASH)).unwrap();
        let archives = archives(directory.path(), with_development).unwrap();
        archives.into_iter().map(|archive| archive.url).collect()
    }

    #[test]
    fn who_runs_scripts() {
        let scripted = |name: &str, lock: &str| {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join(name), lock).unwrap();
            super::scripted(directory.path())
        };
        let lock = r#"{"packages": {
            "": {"name": "asset", "hasInstallScript": true},
            "node_modules/b/node_modules/@s/native": {"hasInstallScript": true},
            "node_modules/protobufjs": {"hasInstallScript": true},
            "node_modules/c/node_modules/protobufjs": {"hasInstallScript": true, "dev": true},
            "node_modules/fsevents": {"hasInstallScript": true, "os": ["darwin"]},
            "node_modules/d": {"hasInstallScript": false},
            "node_modules/e": {}
        }}"#;
        let names = ["@s/native", "protobufjs"].map(str::to_owned).to_vec();
        for name in ["package-lock.json", "npm-shrinkwrap.json"] {
            assert_eq!(scripted(name, lock), Some((name, names.clone())));
        }
        for (name, lock) in [
            ("package-lock.json", "{}"),
            ("package-lock.json", "none"),
            ("package-lock.json", r#"{"packages": {"node_modules/a": {}}}"#),
            ("yarn.lock", lock),
        ] {
            assert_eq!(scripted(name, lock), None, "{name}: {lock}");
        }
    }

    #[test]
    fn what_a_lock_file_names() {
        let lock = r#"{"lockfileVersion": 3, "packages": {
            "": {"name": "asset"},
            "node_modules/a": {"resolved": "https://r.example/a/-/a-1.tgz", "integrity": "HASH"},
            "node_modules/@s/b": {"resolved": "https://r.example/@s/b/-/b-1.tgz", "integrity": "sha1-x HASH", "dev": true},
            "node_modules/c": {"resolved": "https://r.example/c/-/c-1.tgz", "integrity": "HASH", "os": ["win32"]},
            "node_modules/d": {"resolved": "https://r.example/d/-/d-1.tgz"},
            "node_modules/e": {"resolved": "git+ssh://git@github.com/x/e.git#1", "integrity": "HASH"},
            "node_modules/f": {"resolved": "lib", "link": true}}}"#;
        assert_eq!(found(lock, false), ["https://r.example/a/-/a-1.tgz"]);
        let both = ["https://r.example/@s/b/-/b-1.tgz", "https://r.example/a/-/a-1.tgz"];
        assert_eq!(found(lock, true), both);
        let old = r#"{"dependencies": {"a": {"resolved": "http://r.example/a.tgz", "integrity": "HASH",
            "dependencies": {"b": {"resolved": "http://r.example/b.tgz", "integrity": "HASH"}}}}}"#;
        assert_eq!(found(old, false), ["http://r.example/a.tgz", "http://r.example/b.tgz"]);
        assert!(found("{", false).is_empty() && found("[]", false).is_empty());
    }

    #[test]
    fn where_the_cache_has_it() {
        let path = place(HASH).unwrap();
        let beginning = "_cacache/content-v2/sha512/cf/83/e1357eefb8bdf1542850d66d8007d620e405";
        assert!(path.to_str().unwrap().starts_with(beginning), "{path:?}");
        for odd in ["", "sha512", "sha512-", "sha512-../../..", "sha1-z4PhNX7vuL3xVChQ1m2AB9Yg"] {
            assert_eq!(place(odd), None, "{odd}");
        }
    }

    /// npm clones the latter, and runs what is in them.
    #[test]
    fn archives_and_repositories() {
        for (url, archive) in [
            ("https://registry.npmjs.org/a/-/a-1.0.0.tgz", true),
            ("http://10.0.0.1:4873/@s%2fa/-/a-1.0.0.tgz", true),
            ("https://npm.pkg.github.com/download/@s/a/1.0.0/0a1b", true),
            ("https://github.com/x/y", false),
            ("https://github.com/x/y.tgz", false),
            ("https://www.github.com/x/y", false),
            ("https://github.com:443/x/y", false),
            ("https://user@github.com/x/y", false),
            ("https://GitHub.com/x/y", false),
            ("https://gith\u{ff55}b.com/x/y", false),
            ("https:///github.com/x/y", false),
            ("https://x\\@github.com/x/y", false),
            ("https://r.example/x/y#0123", false),
            ("https://r.example/x y", false),
            ("git+https://r.example/x/y", false),
            ("file:///etc/passwd", false),
            ("--ignore-scripts=false", false),
            ("", false),
        ] {
            assert_eq!(is_of_an_archive(url), archive, "{url}");
        }
    }
}
