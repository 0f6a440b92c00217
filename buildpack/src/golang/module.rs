//! Which Go module in a package holds the chaincode.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::path::PathBuf;
use std::str::FromStr;

use super::GoMod;
use crate::archive::EntryPath;

/// The `path` of a Go package's metadata: an import path, or a path relative to the module.
///
/// It becomes an argument of `go build`, so it must not look like a flag or a pattern; and a part
/// of a directory's name, so it must not escape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoPath(String);

/// Where a Go module lies in the source, and what of it is to be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoModule {
    /// The module's directory: `src`, or `src/<path>`.
    pub directory: String,
    /// The main package, as an argument of `go build` in that directory.
    pub package: String,
    /// Whether the module brings its dependencies in a `vendor` directory.
    pub vendored: bool,
}

/// Why Go source cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GoError {
    /// The metadata's path cannot be an import path.
    #[error(
        "the path `{}` in metadata.json is neither an import path nor a directory of the module", .0.escape_debug()
    )]
    Path(String),
    /// The source is no Go module; a GOPATH tree perhaps.
    #[error(
        "the code holds no Go module: neither {} exists; run `go mod init` and `go mod tidy` in \
         the chaincode's directory and package it again", .expected.join(" nor ")
    )]
    NoModule {
        /// The files that were looked for.
        expected: Vec<String>,
    },
    /// Windows' separator, which is a letter of a name to everyone else.
    #[error(
        "the code has names with backslashes, such as `{}`: it was packaged on Windows by a tool \
         that writes no `/`; package it again with another", .0.escape_debug()
    )]
    Backslashes(String),
    /// A `go.mod` without a `module` line.
    #[error("{0} names no module")]
    Unnamed(String),
    /// No main package where the metadata's path says.
    #[error(
        "{directory} holds no `package main`, and the path in metadata.json is that of the package \
         with the chaincode's `func main`"
    )]
    NoMain {
        /// The directory in the code.
        directory: String,
    },
    /// Another package than a main one.
    #[error(
        "{directory} is not a main package but `package {package}`, of which no program is made; \
         name it `package main`, or package the directory that is one"
    )]
    Library {
        /// The directory in the code.
        directory: String,
        /// The package's name.
        package: String,
    },
    /// A package of which Go made no program.
    #[error(
        "`{package}`, the path in metadata.json, is not a main package, so that no program can be \
         made of it; package the directory that holds the chaincode's `func main`"
    )]
    NoProgram {
        /// The package.
        package: String,
    },
    /// A replacement by files of whoever builds.
    #[error(
        "{go_mod} replaces a module by the directory {target}, which is no part of the package; \
         run `go mod vendor` and package again", target = .target.escape_debug()
    )]
    ReplacedOutside {
        /// The `go.mod`.
        go_mod: String,
        /// The directory, as written.
        target: String,
    },
    /// A file of the source cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl FromStr for GoPath {
    type Err = GoError;

    fn from_str(text: &str) -> Result<Self, GoError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~/+".contains(c);
        let component = |part: &str| part != ".." && part != "..." && !part.starts_with('-');
        let good = text.len() <= crate::archive::MAX_PATH_BYTES
            && !text.starts_with('/')
            && text.chars().all(allowed)
            && text.split('/').all(component);
        match text {
            // `go build` without an argument builds the current directory; so does the peer.
            "" => Ok(Self(".".to_owned())),
            _ if good => Ok(Self(text.trim_end_matches('/').to_owned())),
            _ => Err(GoError::Path(text.to_owned())),
        }
    }
}

impl fmt::Display for GoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl GoModule {
    /// Finds the module among the `files` of a source, in the order in which the peer's own
    /// builder looks (Fabric `core/chaincode/platforms/golang/platform.go`, `buildScript`).
    pub fn find(files: &BTreeSet<EntryPath>, path: &GoPath) -> Result<Self, GoError> {
        let relative = path.0.trim_start_matches("./");
        let nested = format!("src/{relative}");
        let candidates = if relative == "." {
            vec![("src".to_owned(), ".")]
        } else {
            vec![("src".to_owned(), path.0.as_str()), (nested, ".")]
        };
        let go_mod = |directory: &str| format!("{directory}/go.mod");
        let found =
            candidates.iter().find(|(directory, _)| files.contains(go_mod(directory).as_str()));
        let Some((directory, package)) = found else {
            if let Some(name) = files.iter().find(|file| file.as_str().ends_with("\\go.mod")) {
                return Err(GoError::Backslashes(name.to_string()));
            }
            let expected = candidates.iter().map(|(directory, _)| go_mod(directory));
            return Err(GoError::NoModule { expected: expected.collect() });
        };
        Ok(Self {
            directory: directory.clone(),
            package: (*package).to_owned(),
            vendored: has_directory(files, &format!("{directory}/vendor")),
        })
    }

    /// The file that makes it a module.
    pub fn go_mod(&self) -> String {
        format!("{}/go.mod", self.directory)
    }

    /// The directory of the main package; none if it belongs to another module.
    pub fn package_directory(&self, go_mod: &GoMod) -> Option<String> {
        let below = if self.package == "." || self.package == go_mod.module {
            ""
        } else if let Some(relative) = self.package.strip_prefix("./") {
            relative
        } else {
            self.package.strip_prefix(&go_mod.module)?.strip_prefix('/')?
        };
        Some(format!("{}/{below}", self.directory).trim_end_matches('/').to_owned())
    }
}

fn has_directory(files: &BTreeSet<EntryPath>, directory: &str) -> bool {
    let prefix = format!("{directory}/");
    files
        .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded))
        .next()
        .is_some_and(|first| first.as_str().starts_with(&prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(files: &[&str], path: &str) -> Result<GoModule, GoError> {
        let files = files.iter().map(|name| EntryPath::parse(name.as_bytes()).unwrap()).collect();
        GoModule::find(&files, &path.parse()?)
    }

    fn module(directory: &str, package: &str, vendored: bool) -> GoModule {
        GoModule { directory: directory.to_owned(), package: package.to_owned(), vendored }
    }

    #[test]
    fn same_order_as_the_peer() {
        let both = ["src/go.mod", "src/a/go.mod", "src/a/vendor/modules.txt"];
        assert_eq!(find(&both, "a").unwrap(), module("src", "a", false));
        assert_eq!(find(&both[1..], "a").unwrap(), module("src/a", ".", true));
        assert_eq!(find(&both[..1], "").unwrap(), module("src", ".", false));
        let vendored = ["src/go.mod", "src/vendor/modules.txt"];
        assert_eq!(find(&vendored, "example.com/x").unwrap(), module("src", "example.com/x", true));
        assert_eq!(find(&["src/cmd/go.mod"], "./cmd").unwrap(), module("src/cmd", ".", false));
    }

    #[test]
    fn no_module_says_what_to_do() {
        let error = find(&["src/main.go"], "example.com/x").unwrap_err().to_string();
        assert!(
            error.contains("neither src/go.mod nor src/example.com/x/go.mod exists"),
            "{error}"
        );
        assert!(error.contains("go mod init"), "{error}");
    }

    #[test]
    fn dangerous_paths_are_refused() {
        for path in
            ["../x", "a/../..", "/etc", "-toolexec=sh", "a/-b", "./...", "a b", "a;b", "a\nb"]
        {
            let error = find(&["src/go.mod"], path).unwrap_err();
            assert!(matches!(error, GoError::Path(refused) if refused == path));
        }
    }

    #[test]
    fn packaged_on_windows() {
        let told = find(&["src\\go.mod", "src\\main.go"], "a").unwrap_err().to_string();
        assert!(told.contains(r"with backslashes, such as `src\\go.mod`"), "{told}");
    }

    #[test]
    fn main_package_directory() {
        let go_mod = GoMod::parse("module example.com/x").unwrap();
        let directory = |package| module("src", package, false).package_directory(&go_mod);
        assert_eq!(directory("example.com/x").as_deref(), Some("src"));
        assert_eq!(directory("example.com/x/cmd").as_deref(), Some("src/cmd"));
        assert_eq!(directory("./cmd").as_deref(), Some("src/cmd"));
        assert_eq!(directory("example.com/xy"), None);
    }
}
