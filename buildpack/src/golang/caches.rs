//! Where Go keeps what it has compiled and downloaded: without such places it does nothing, as
//! under a service manager that sets no HOME.

use std::io;
use std::path::{Path, PathBuf};

use crate::recipe::{Toolchain, is_writable, make_directory};

/// A directory that Go needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cache {
    /// Compiled packages (`src/cmd/go/internal/cache/default.go`).
    Builds,
    /// Downloaded modules (`src/cmd/go/internal/cfg/cfg.go`).
    Modules,
}

impl Cache {
    /// The variable that names it.
    fn variable(self) -> &'static str {
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

    /// Whether Go would find it, and could fill it.
    fn is_there(self, toolchain: &Toolchain) -> bool {
        let path = |variable| toolchain.get(variable).map(PathBuf::from);
        if let Some(directory) = path(self.variable()) {
            // One for modules may be meant to be read only.
            let whole = self == Self::Modules && directory.is_dir();
            return directory.is_absolute() && (whole || is_writable(&directory));
        }
        let home = path("HOME");
        let derived = match self {
            Self::Builds => path("XDG_CACHE_HOME")
                .or_else(|| home.map(|home| home.join(".cache")))
                .map(|caches| caches.join("go-build")),
            Self::Modules => path("GOPATH")
                .and_then(|paths| std::env::split_paths(&paths).next())
                .or_else(|| home.map(|home| home.join("go")))
                .map(|path| path.join("pkg/mod")),
        };
        derived.is_some_and(|directory| directory.is_absolute() && is_writable(&directory))
    }
}

/// Gives Go directories below `own` in place of the caches that are missing.
pub(super) fn provide(toolchain: &mut Toolchain, own: &Path) -> io::Result<()> {
    for cache in [Cache::Builds, Cache::Modules] {
        if !cache.is_there(toolchain) {
            let directory = own.join(cache.directory_name());
            make_directory(&directory)?;
            toolchain.give(cache.variable(), &directory);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    fn provided(variables: &[(&str, &Path)]) -> Vec<&'static str> {
        let own = tempfile::tempdir().unwrap();
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let toolchain = Language::Golang.toolchain(variables, own.path()).unwrap();
        let environment = Language::Golang.version(&toolchain).unwrap().environment;
        let of_own = environment.iter().filter(|(_, value)| Path::new(value).starts_with(&own));
        assert_eq!(of_own.count(), toolchain.own().len());
        toolchain.own().to_vec()
    }

    #[test]
    fn what_go_does_not_find_it_is_given() {
        let directory = tempfile::tempdir().unwrap();
        let good = directory.path();
        // Nothing can be made below a file.
        let bad = Path::new("/dev/null");
        let both = vec!["GOCACHE", "GOMODCACHE"];
        for (variables, expected) in [
            (&[][..], both.clone()),
            (&[("HOME", good)], vec![]),
            (&[("HOME", bad)], both.clone()),
            (&[("HOME", Path::new(""))], both.clone()),
            (&[("XDG_CACHE_HOME", good)], vec!["GOMODCACHE"]),
            (&[("GOCACHE", good), ("GOPATH", good)], vec![]),
            (&[("GOCACHE", bad), ("HOME", good)], vec!["GOCACHE"]),
            (&[("GOMODCACHE", good), ("HOME", bad)], vec!["GOCACHE"]),
            (&[("GOMODCACHE", Path::new("relative")), ("HOME", good)], vec!["GOMODCACHE"]),
        ] {
            assert_eq!(provided(variables), expected, "{variables:?}");
        }
    }
}
