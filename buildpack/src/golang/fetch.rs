//! What a Go chaincode depends on, fetched and compiled ahead.
//!
//! The go command runs nothing of what it downloads, and with `CGO_ENABLED=0` its compiler and its
//! assembler are the only programs that it starts here. What those make of a package is kept under a
//! digest of all that goes into it. So neither a chaincode nor a module decides what is kept for
//! another.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::assembly::is_of_its_own;
use super::plan::{GoBuild, PURE};
use crate::recipe::{
    BuildCommand, Dependencies, Fetch, GO_MODULES, Need, Toolchain, Workplace, layered,
};

/// Where compiled packages are, by toolchain.
const BUILDS: &str = "go/builds";

/// Lets modules be removed again.
const REMOVABLE: &str = "-modcacherw";

/// For `go list`: a line for each package, as [`packages`] reads it.
const PACKAGES: &str = "{{if not .Incomplete}}{{if .Standard}}standard{{else}}module{{end}}\t\
    {{.ImportPath}}\t{{.Dir}}\t{{len .SFiles}}{{end}}";

/// For `go list`: nothing.
const NOTHING: &str = "{{with \"\"}}{{end}}";

/// Packages that are named, and none.
const NO_PACKAGES: [&str; 2] = ["C", "unsafe"];

/// By which the go command takes a module from elsewhere than `GOPROXY`.
const EXCEPTIONS: [&str; 2] = ["GOPRIVATE", "GONOPROXY"];

/// Where modules come from if nothing else is said (`src/cmd/go/internal/cfg/cfg.go`).
const PROXIES: &str = "https://proxy.golang.org,direct";

impl Fetch for GoBuild {
    fn filling(&self, toolchain: &Toolchain, shared: &Dependencies) -> io::Result<Toolchain> {
        let mut toolchain = toolchain.clone();
        for (variable, directory) in [
            ("GOMODCACHE", shared.directory(GO_MODULES)),
            ("GOCACHE", shared.directory_of_toolchain(BUILDS)),
        ] {
            fs::create_dir_all(&directory)?;
            toolchain.set(variable, &directory);
        }
        Ok(toolchain)
    }

    /// Just what will be compiled ahead, if nothing is wrong with it.
    fn question(&self, toolchain: &Toolchain, place: &Workplace<'_>) -> Option<BuildCommand> {
        Some(self.list(toolchain, place, &["-e", "-f", PACKAGES], "0"))
    }

    fn need(
        &self,
        answer: &str,
        toolchain: &Toolchain,
        place: &Workplace<'_>,
        shared: &Dependencies,
    ) -> io::Result<Need> {
        let Listed { packages, places, assembled } = listed(answer, &shared.directory(GO_MODULES));
        let mut ahead = !packages.is_empty();
        for package in &assembled {
            ahead = ahead && is_of_its_own(package)?;
        }
        let mut arguments: Vec<OsString> = vec!["build".into(), REMOVABLE.into()];
        arguments.extend(self.flags(&PURE).into_iter().map(Into::into));
        arguments.extend(packages.into_iter().map(Into::into));
        let build = ahead.then(|| self.go(toolchain, place, arguments, &[]));
        Ok(Need {
            // Packages with C among them, into which the go command alone looks: a build that needs
            // them may find them nowhere else.
            required: vec![self.list(toolchain, place, &["-f", NOTHING], "1")],
            helpful: build.into_iter().collect(),
            places,
        })
    }

    /// Modules are taken as archives, which the go command holds against the chaincode's go.sum.
    fn drawing(
        &self,
        toolchain: &Toolchain,
        _place: &Workplace<'_>,
        shared: &Dependencies,
        own: &Path,
    ) -> io::Result<Toolchain> {
        let mut toolchain = toolchain.clone();
        let archives = shared.directory(GO_MODULES).join("cache/download");
        let mut proxies: OsString = format!("file://{}", archives.display()).into();
        // What nobody may ask the world for is there, or nowhere.
        if !EXCEPTIONS.iter().any(|variable| toolchain.get(variable).is_some()) {
            proxies.push(",");
            proxies.push(toolchain.get("GOPROXY").cloned().unwrap_or_else(|| PROXIES.into()));
        }
        toolchain.set("GOPROXY", Path::new(&proxies));
        toolchain.set("GONOPROXY", Path::new("none"));
        let builds = own.join("builds");
        layered(&shared.directory_of_toolchain(BUILDS), &builds)?;
        let modules = own.join("modules");
        fs::create_dir_all(&modules)?;
        toolchain.set("GOCACHE", &builds);
        toolchain.set("GOMODCACHE", &modules);
        Ok(toolchain)
    }
}

impl GoBuild {
    fn list(
        &self,
        toolchain: &Toolchain,
        place: &Workplace<'_>,
        flags: &[&str],
        cgo: &str,
    ) -> BuildCommand {
        let arguments = ["list", "-deps", REMOVABLE].into_iter().chain(self.dependencies());
        let arguments = arguments.chain(flags.iter().copied()).chain([self.package()]);
        self.go(toolchain, place, arguments.map(Into::into).collect(), &[("CGO_ENABLED", cgo)])
    }
}

/// What the chaincode's packages depend on.
#[derive(Debug, Default)]
struct Listed {
    /// Of Go's library, and of modules.
    packages: Vec<String>,
    /// Where the modules are.
    places: Vec<PathBuf>,
    /// The directories of modules' packages with assembly in them.
    assembled: Vec<PathBuf>,
}

/// What lies elsewhere than `modules` is the chaincode's own code.
fn listed(answer: &str, modules: &Path) -> Listed {
    let mut listed = Listed::default();
    for line in answer.lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["standard", package, ..]
                if !NO_PACKAGES.contains(&package) && !package.starts_with("vendor/") =>
            {
                listed.packages.push(package.to_owned());
            }
            ["module", package, directory, assembly] => {
                let Some(module) = module_of(directory, modules) else { continue };
                listed.packages.push(package.to_owned());
                if assembly != "0" {
                    listed.assembled.push(directory.into());
                }
                if !listed.places.contains(&module) {
                    listed.places.push(module);
                }
            }
            _ => {}
        }
    }
    let archives = listed.places.iter().flat_map(|module| archives(module, modules));
    let archives: Vec<PathBuf> = archives.collect();
    listed.places.extend(archives);
    listed
}

/// The directory of the module in whose directory a package lies.
fn module_of(directory: &str, modules: &Path) -> Option<PathBuf> {
    let below = Path::new(directory).strip_prefix(modules).ok()?;
    let names: Vec<&str> = below.iter().filter_map(|name| name.to_str()).collect();
    let at = names.iter().position(|name| name.contains('@'))?;
    Some(names[..=at].iter().fold(modules.to_owned(), |path, name| path.join(name)))
}

/// What is kept of the module beside its directory.
fn archives(module: &Path, modules: &Path) -> Vec<PathBuf> {
    let below = module.strip_prefix(modules).unwrap_or(module).to_string_lossy();
    let Some((path, version)) = below.rsplit_once('@') else { return vec![] };
    let directory = modules.join("cache/download").join(path).join("@v");
    let kinds = ["zip", "ziphash", "mod", "info"];
    kinds.iter().map(|kind| directory.join(format!("{version}.{kind}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golang::{self, GoCode};
    use crate::platform::Platform;

    fn build() -> GoBuild {
        let code = GoCode {
            directory: "src".into(),
            package: "example.com/asset".into(),
            dependencies: golang::Dependencies::Fetched,
        };
        GoBuild::new(code, Platform::LinuxAmd64)
    }

    fn variable<'a>(command: &'a BuildCommand, name: &str) -> Option<&'a str> {
        let found = command.environment.iter().find(|(variable, _)| variable == name);
        found.and_then(|(_, value)| value.to_str())
    }

    fn toolchain(variables: &[(&str, &str)]) -> Toolchain {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        Toolchain::new(&mut variables.collect::<Vec<_>>().into_iter(), super::super::plan::ALLOWED)
    }

    fn place() -> Workplace<'static> {
        Workplace { source: Path::new("/w"), output: Path::new("/o") }
    }

    #[test]
    fn what_is_compiled_ahead_is_none_of_the_chaincodes() {
        let shared = Dependencies::at(Path::new("/c"), "go");
        let listed = "go: downloading example.com/x v1.0.0\nstandard\tfmt\t/go/fmt\t0\n\
                      standard\tnet\t/go/net\t4\nstandard\tunsafe\t/go/c\t1\n\
                      standard\tvendor/x\t/go/v\t0\n\n\
                      module\texample.com/x/y\t/c/go/modules/example.com/x@v1.0.0/y\t0\n\
                      module\texample.com/asset/lib\t/w/src/lib\t0\n\
                      module\texample.com/asset\t/w/src\t0\n";
        let need = build().need(listed, &toolchain(&[]), &place(), &shared).unwrap();
        let [command] = &need.helpful[..] else { panic!("{need:?}") };
        let words: Vec<_> = command.arguments.iter().map(|word| word.to_string_lossy()).collect();
        let expected = ["build", REMOVABLE, "-trimpath", "-buildvcs=false"];
        assert_eq!(words[..4], expected);
        assert_eq!(words[6..], ["fmt", "net", "example.com/x/y"]);
        assert_eq!(variable(command, "CGO_ENABLED"), Some("0"));
        let archive = "/c/go/modules/cache/download/example.com/x/@v/v1.0.0";
        let expected = ["zip", "ziphash", "mod", "info"].map(|kind| format!("{archive}.{kind}"));
        assert_eq!(need.places[0], Path::new("/c/go/modules/example.com/x@v1.0.0"));
        assert_eq!(need.places[1..], expected.map(PathBuf::from));
    }

    #[test]
    fn nothing_is_compiled_ahead_that_could_read_what_is_none_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let shared = Dependencies::at(directory.path(), "go");
        let package = shared.directory(GO_MODULES).join("example.com/x@v1.0.0");
        fs::create_dir_all(&package).unwrap();
        let compiled_ahead = |text: &str| {
            fs::write(package.join("x.s"), text).unwrap();
            let line = format!("module\texample.com/x\t{}\t1\n", package.display());
            let need = build().need(&line, &toolchain(&[]), &place(), &shared).unwrap();
            assert_eq!(need.required.len(), 1);
            !need.helpful.is_empty()
        };
        assert!(compiled_ahead("#include \"textflag.h\"\n"));
        assert!(!compiled_ahead("#include \"/selvedge-credentials/.netrc\"\n"));
    }

    #[test]
    fn a_build_asks_the_world_only_for_what_is_of_the_world() {
        let directory = tempfile::tempdir().unwrap();
        let shared = Dependencies::at(directory.path(), "go");
        let archives = format!("file://{}/go/modules/cache/download", directory.path().display());
        let of = |variables: &[(&str, &str)]| {
            let drawing = build()
                .drawing(&toolchain(variables), &place(), &shared, &directory.path().join("own"))
                .unwrap();
            assert_eq!(drawing.get("GONOPROXY").unwrap(), "none");
            drawing.get("GOPROXY").unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(of(&[]), format!("{archives},{PROXIES}"));
        assert_eq!(of(&[("GOPROXY", "https://p")]), format!("{archives},https://p"));
        assert_eq!(of(&[("GOPROXY", "https://p"), ("GOPRIVATE", "corp.example")]), archives);
    }
}
