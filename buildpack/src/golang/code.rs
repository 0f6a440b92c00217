//! Where the chaincode lies in a Go package: in a module, or as in a GOPATH.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::path::PathBuf;
use std::str::FromStr;

use super::is_source;
use crate::archive::EntryPath;

/// The `path` of a Go package's metadata: an import path, or a path relative to the module.
///
/// It becomes an argument of `go build`, so it must not look like a flag or a pattern; and a part
/// of a directory's name, so it must not escape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoPath(String);

/// Where Go code lies in the source, and what of it is to be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoCode {
    /// The directory of the module, or of the package in a GOPATH: `src`, or `src/<path>`.
    pub directory: String,
    /// The main package, as an argument of `go build` in that directory.
    pub package: String,
    /// Where the rest of it is.
    pub dependencies: Dependencies,
}

/// Where Go finds what a chaincode depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependencies {
    /// Where the `go.mod` says.
    Fetched,
    /// In the module's `vendor` directory.
    Vendored,
    /// Each package in `src/<import path>`: so the `peer` CLI packages what lies in a GOPATH, and
    /// what is named by its import path and not by a directory (Fabric
    /// `core/chaincode/platforms/golang/platform.go`, `GetDeploymentPayload`).
    Gopath,
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
    /// The source is no Go module, and has no such package as in a GOPATH.
    #[error(
        "the code holds no Go module and no package `{path}`, which is the path in metadata.json: \
         there is neither {}; run `go mod init` and `go mod tidy` in the chaincode's directory and \
         package it again", .expected.join(" nor ")
    )]
    NotThere {
        /// The metadata's path.
        path: GoPath,
        /// What was looked for.
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

impl GoPath {
    /// Whether it names the same package wherever the compiler stands.
    fn is_import_path(&self) -> bool {
        self.0.split('/').all(|part| part != ".")
    }
}

impl fmt::Display for GoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl GoCode {
    /// Finds the chaincode among the `files` of a source, in the order in which the peer's own
    /// builder looks (Fabric `core/chaincode/platforms/golang/platform.go`, `buildScript`).
    pub fn find(files: &BTreeSet<EntryPath>, path: &GoPath) -> Result<Self, GoError> {
        let relative = path.0.trim_start_matches("./");
        let nested = format!("src/{relative}");
        let candidates = if relative == "." {
            vec![("src", ".")]
        } else {
            vec![("src", path.0.as_str()), (nested.as_str(), ".")]
        };
        let go_mod = |directory: &str| format!("{directory}/go.mod");
        let mut modules = candidates.iter();
        if let Some((directory, package)) =
            modules.find(|(directory, _)| files.contains(go_mod(directory).as_str()))
        {
            let dependencies = if has_directory(files, &format!("{directory}/vendor")) {
                Dependencies::Vendored
            } else {
                Dependencies::Fetched
            };
            return Ok(Self::new(directory, package, dependencies));
        }
        if path.is_import_path() && has_go_files(files, &nested) {
            return Ok(Self::new(&nested, ".", Dependencies::Gopath));
        }
        let is_of_windows = |name: &str| {
            name.rsplit_once('\\').is_some_and(|(_, name)| name == "go.mod" || is_source(name))
        };
        if let Some(name) = files.iter().find(|file| is_of_windows(file.as_str())) {
            return Err(GoError::Backslashes(name.to_string()));
        }
        let mut expected: Vec<String> =
            candidates.iter().map(|(directory, _)| go_mod(directory)).collect();
        if path.is_import_path() {
            expected.push(format!("a Go file in {nested}"));
        }
        Err(GoError::NotThere { path: path.clone(), expected })
    }

    fn new(directory: &str, package: &str, dependencies: Dependencies) -> Self {
        Self { directory: directory.to_owned(), package: package.to_owned(), dependencies }
    }

    /// The file that makes it a module; none in a GOPATH.
    pub fn go_mod(&self) -> Option<String> {
        (self.dependencies != Dependencies::Gopath).then(|| format!("{}/go.mod", self.directory))
    }

    /// The directory of the main package, which belongs to the `module` of that path if to one;
    /// none if it belongs to another module.
    pub fn package_directory(&self, module: Option<&str>) -> Option<String> {
        let below = if self.package == "." || module == Some(&self.package) {
            ""
        } else if let Some(relative) = self.package.strip_prefix("./") {
            relative
        } else {
            self.package.strip_prefix(module?)?.strip_prefix('/')?
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

/// Whether Go files lie in the directory itself.
fn has_go_files(files: &BTreeSet<EntryPath>, directory: &str) -> bool {
    files.iter().any(|file| file.directory() == directory && is_source(file.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(files: &[&str], path: &str) -> Result<GoCode, GoError> {
        let files = files.iter().map(|name| EntryPath::parse(name.as_bytes()).unwrap()).collect();
        GoCode::find(&files, &path.parse()?)
    }

    #[test]
    fn same_order_as_the_peer() {
        use Dependencies::{Fetched, Gopath, Vendored};
        let both = ["src/go.mod", "src/a/go.mod", "src/a/vendor/modules.txt", "src/a/main.go"];
        let vendored = ["src/go.mod", "src/vendor/modules.txt"];
        for (files, path, found) in [
            (&both[..], "a", GoCode::new("src", "a", Fetched)),
            (&both[1..], "a", GoCode::new("src/a", ".", Vendored)),
            (&both[..1], "", GoCode::new("src", ".", Fetched)),
            (&vendored, "example.com/x", GoCode::new("src", "example.com/x", Vendored)),
            (&["src/cmd/go.mod"], "./cmd", GoCode::new("src/cmd", ".", Fetched)),
            (&both[2..], "a", GoCode::new("src/a", ".", Gopath)),
        ] {
            assert_eq!(find(files, path).unwrap(), found, "{files:?}");
        }
    }

    #[test]
    fn what_is_nowhere_is_named_and_what_to_do() {
        for (file, path, named) in [
            (
                "src/main.go",
                "example.com/x",
                "neither src/go.mod nor src/example.com/x/go.mod nor a Go file in src/example.com/x",
            ),
            // A directory above has it, or one below, which is another package.
            ("src/example.com/main.go", "example.com/x", "no package `example.com/x`"),
            ("src/example.com/x/cmd/main.go", "example.com/x", "no package `example.com/x`"),
            ("src/example.com/x/main_test.go", "example.com/x", "no package `example.com/x`"),
            // To Go in a GOPATH it depends on where it stands what these are.
            ("src/main.go", ".", "neither src/go.mod;"),
            ("src/cmd/main.go", "./cmd", "neither src/go.mod nor src/cmd/go.mod;"),
        ] {
            let error = find(&[file], path).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("go mod init"), "{error}");
        }
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
        for files in [&["src\\go.mod", "src\\main.go"][..], &["src\\a\\main.go"]] {
            let told = find(files, "a").unwrap_err().to_string();
            let first = files[0].escape_debug();
            assert!(told.contains(&format!("with backslashes, such as `{first}`")), "{told}");
        }
    }

    #[test]
    fn main_package_directory() {
        let directory = |package| {
            let code = GoCode::new("src", package, Dependencies::Fetched);
            code.package_directory(Some("example.com/x"))
        };
        assert_eq!(directory("example.com/x").as_deref(), Some("src"));
        assert_eq!(directory("example.com/x/cmd").as_deref(), Some("src/cmd"));
        assert_eq!(directory("./cmd").as_deref(), Some("src/cmd"));
        assert_eq!(directory("example.com/xy"), None);
    }
}
