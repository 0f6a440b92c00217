//! Where Go keeps what it has compiled and downloaded: without such places it does nothing, as
//! under a service manager that sets no HOME.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::GoToolchain;

/// A directory that Go needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoCache {
    /// Compiled packages (`src/cmd/go/internal/cache/default.go`).
    Builds,
    /// Downloaded modules (`src/cmd/go/internal/cfg/cfg.go`).
    Modules,
}

impl GoCache {
    const ALL: [Self; 2] = [Self::Builds, Self::Modules];

    /// The variable that names it.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Builds => "GOCACHE",
            Self::Modules => "GOMODCACHE",
        }
    }

    fn directory_name(self) -> &'static str {
        match self {
            Self::Builds => "builds",
            Self::Modules => "modules",
        }
    }
}

impl GoToolchain {
    /// The caches that Go would not find, or could not fill.
    pub fn missing_caches(&self) -> Vec<GoCache> {
        GoCache::ALL.into_iter().filter(|cache| !self.has(*cache)).collect()
    }

    /// The same toolchain with directories of its own below `directory` in place of the caches
    /// that are missing.
    pub fn with_caches_in(mut self, directory: &Path) -> io::Result<Self> {
        for cache in self.missing_caches() {
            let own = directory.join(cache.directory_name());
            fs::create_dir_all(&own)?;
            self.set(cache.variable(), own.into());
        }
        Ok(self)
    }

    fn has(&self, cache: GoCache) -> bool {
        if let Some(directory) = self.path(cache.variable()) {
            // One for modules may be meant to be read only.
            let whole = cache == GoCache::Modules && directory.is_dir();
            return directory.is_absolute() && (whole || is_writable(&directory));
        }
        let home = self.path("HOME");
        let derived = match cache {
            GoCache::Builds => self
                .path("XDG_CACHE_HOME")
                .or_else(|| home.map(|home| home.join(".cache")))
                .map(|caches| caches.join("go-build")),
            GoCache::Modules => self
                .path("GOPATH")
                .and_then(|paths| std::env::split_paths(&paths).next())
                .or_else(|| home.map(|home| home.join("go")))
                .map(|path| path.join("pkg/mod")),
        };
        derived.is_some_and(|directory| directory.is_absolute() && is_writable(&directory))
    }

    /// What the variable says; an empty one says nothing.
    fn path(&self, variable: &str) -> Option<PathBuf> {
        let value: Option<&OsString> = self.get(OsStr::new(variable));
        value.filter(|value| !value.is_empty()).map(PathBuf::from)
    }
}

fn is_writable(directory: &Path) -> bool {
    fs::create_dir_all(directory).and_then(|()| tempfile::tempfile_in(directory)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(variables: &[(&str, &Path)]) -> Vec<GoCache> {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        GoToolchain::new("go", variables).missing_caches()
    }

    #[test]
    fn what_go_finds() {
        let directory = tempfile::tempdir().unwrap();
        let good = directory.path();
        // Nothing can be made below a file.
        let bad = Path::new("/dev/null");
        let both = GoCache::ALL.to_vec();
        for (variables, expected) in [
            (&[][..], both.clone()),
            (&[("HOME", good)], vec![]),
            (&[("HOME", bad)], both.clone()),
            (&[("HOME", Path::new(""))], both.clone()),
            (&[("XDG_CACHE_HOME", good)], vec![GoCache::Modules]),
            (&[("GOCACHE", good), ("GOPATH", good)], vec![]),
            (&[("GOCACHE", bad), ("HOME", good)], vec![GoCache::Builds]),
            (&[("GOMODCACHE", good), ("HOME", bad)], vec![GoCache::Builds]),
            (&[("GOMODCACHE", Path::new("relative")), ("HOME", good)], vec![GoCache::Modules]),
        ] {
            assert_eq!(missing(variables), expected, "{variables:?}");
        }
    }

    #[test]
    fn own_caches_take_the_place_of_missing_ones() {
        let directory = tempfile::tempdir().unwrap();
        let variables = [("HOME".into(), "/dev/null".into())];
        let toolchain = GoToolchain::new("go", variables).with_caches_in(directory.path()).unwrap();
        assert_eq!(toolchain.missing_caches(), []);
        let environment = toolchain.version_command().environment;
        let own = (OsString::from("GOCACHE"), directory.path().join("builds").into());
        assert!(environment.contains(&own), "{environment:?}");
    }
}
