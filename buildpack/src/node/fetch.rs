//! The archives that a lock file of npm's names, fetched ahead.
//!
//! npm fetches them one by one, by their addresses, in a directory where no package and no setting of
//! one is. So it reads nothing of a package but the archive's own description, and runs nothing. What
//! it has fetched is known by its hash, which the lock file says, too: whoever takes it from there by
//! that hash gets what was meant.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::files::DIRECTORY;
use super::lock_file::{Archive, archives};
use super::plan::{NodeBuild, PINNED};
use crate::recipe::{BuildCommand, Dependencies, Fetch, Need, Toolchain, Workplace};

/// Where npm's cache is.
const CACHE: &str = "npm";

/// The variable that says it.
const CACHE_VARIABLE: &str = "npm_config_cache";

/// How many archives one command fetches: their addresses have to find room in its arguments.
const AT_ONCE: usize = 200;

/// What npm is kept from where it fetches for many: scripts, repositories, files of its own.
const APART: &[(&str, &str)] = &[
    ("npm_config_git", "/nowhere"),
    ("npm_config_ignore_scripts", "true"),
    ("npm_config_logs_max", "0"),
];

impl NodeBuild {
    fn archives(&self, place: &Workplace<'_>) -> io::Result<Vec<Archive>> {
        archives(&place.source.join(DIRECTORY), self.is_built())
    }
}

impl Fetch for NodeBuild {
    fn filling(&self, toolchain: &Toolchain, shared: &Dependencies) -> io::Result<Toolchain> {
        let mut toolchain = toolchain.clone();
        let cache = shared.directory(CACHE);
        fs::create_dir_all(&cache)?;
        toolchain.set(CACHE_VARIABLE, &cache);
        Ok(toolchain)
    }

    fn question(&self, _: &Toolchain, _: &Workplace<'_>) -> Option<BuildCommand> {
        None
    }

    fn need(
        &self,
        _answer: &str,
        toolchain: &Toolchain,
        place: &Workplace<'_>,
        shared: &Dependencies,
    ) -> io::Result<Need> {
        let cache = shared.directory(CACHE);
        let archives = self.archives(place)?;
        let places: Vec<PathBuf> =
            archives.iter().map(|archive| cache.join(&archive.place)).collect();
        let missing: Vec<&str> = archives
            .iter()
            .zip(&places)
            .filter(|(_, place)| !place.is_file())
            .map(|(archive, _)| archive.url.as_str())
            .collect();
        let pinned = [PINNED, APART].concat();
        let add = |urls: &[&str]| {
            let words = ["cache", "add"].iter().chain(urls).map(Into::into).collect();
            toolchain.command("npm", words, &pinned, place.output)
        };
        let helpful = missing.chunks(AT_ONCE).map(add).collect();
        Ok(Need { required: vec![], helpful, places })
    }

    fn drawing(
        &self,
        toolchain: &Toolchain,
        place: &Workplace<'_>,
        shared: &Dependencies,
        own: &Path,
    ) -> io::Result<Toolchain> {
        let (from, to) = (shared.directory(CACHE), own.join(CACHE));
        fs::create_dir_all(&to)?;
        for Archive { place, .. } in self.archives(place)? {
            let (from, to) = (from.join(&place), to.join(&place));
            if from.is_file() && !to.exists() {
                fs::create_dir_all(to.parent().unwrap_or(own))?;
                symlink(from, to)?;
            }
        }
        let mut toolchain = toolchain.clone();
        toolchain.set(CACHE_VARIABLE, &to);
        Ok(toolchain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;
    use crate::platform::Platform;
    use crate::source::Source;

    const LOCK: &str = r#"{"lockfileVersion": 3, "packages": {"node_modules/a": {
        "resolved": "https://r.example/a/-/a-1.tgz",
        "integrity": "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="
    }}}"#;

    #[test]
    fn what_is_missing_is_added_where_no_package_says_how() {
        let directory = tempfile::tempdir().unwrap();
        let [root, shared, own, output] =
            ["root", "shared", "own", "output"].map(|name| directory.path().join(name));
        fs::create_dir_all(root.join("src")).unwrap();
        let description =
            r#"{"main": "a.js", "scripts": {"start": "fabric-chaincode-node start"}}"#;
        for (name, text) in
            [("package.json", description), ("a.js", ""), (".npmrc", "git=./evil\n")]
        {
            fs::write(root.join("src").join(name), text).unwrap();
        }
        let recipe = || {
            let source = Source::open(&root).unwrap();
            Language::Node.recipe(&source, "", Platform::LinuxAmd64).unwrap()
        };
        assert!(recipe().fetch().is_none(), "nobody knows what it will install");
        fs::write(root.join("src/package-lock.json"), LOCK).unwrap();
        let recipe = recipe();
        let fetch = recipe.fetch().unwrap();
        let home = [("HOME".into(), directory.path().into())];
        let toolchain = Language::Node.toolchain(home, &own).unwrap();
        let place = Workplace { source: &root, output: &output };
        let shared = Dependencies::at(&shared, "node");
        let filling = fetch.filling(&toolchain, &shared).unwrap();
        let need = || fetch.need("", &filling, &place, &shared).unwrap();

        let Need { required, helpful, places } = need();
        let ([], [command], [archive]) = (&required[..], &helpful[..], &places[..]) else {
            panic!("{required:?} {helpful:?} {places:?}")
        };
        assert_eq!(command.arguments, ["cache", "add", "https://r.example/a/-/a-1.tgz"]);
        assert_eq!(command.directory, output);
        assert!(command.environment.contains(&("npm_config_git".into(), "/nowhere".into())));

        fs::create_dir_all(archive.parent().unwrap()).unwrap();
        fs::write(archive, "a").unwrap();
        assert!(need().helpful.is_empty());
        let drawing = fetch.drawing(&toolchain, &place, &shared, &own).unwrap();
        let cache = PathBuf::from(drawing.get(CACHE_VARIABLE).unwrap());
        assert!(cache.starts_with(&own));
        let below = archive.strip_prefix(shared.directory(CACHE)).unwrap();
        assert_eq!(fs::read_link(cache.join(below)).unwrap(), *archive);
    }
}
