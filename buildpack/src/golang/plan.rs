//! The one way a Go chaincode is compiled: a pure function of module, platform and settings.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{GoError, GoModule};
use crate::platform::Platform;

/// The variables of the caller that reach `go build`: where it finds itself, modules, caches and
/// certificates. `PATH` and `GOROOT` choose the compiler, which is part of a build's key
/// ([`BuildKeyInputs::toolchain`](crate::image::BuildKeyInputs::toolchain)); what modules hold is
/// fixed by `go.sum`, wherever they come from. So the same key is the same binary.
const ALLOWED: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "GOPATH",
    "GOCACHE",
    "GOMODCACHE",
    "GOROOT",
    "GOPROXY",
    "GONOPROXY",
    "GOPRIVATE",
    "GOSUMDB",
    "GONOSUMDB",
    "GOINSECURE",
    "GOAUTH",
    "GOVCS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NETRC",
    "GIT_SSL_CAINFO",
];

/// The variables that decide what the binary is; they win over the caller's.
///
/// `GOENV=off` keeps the builder's own `go env -w` settings out; `GOTOOLCHAIN=local` keeps a
/// `go.mod` from choosing, and downloading, another compiler.
const PINNED: &[(&str, &str)] = &[
    ("CGO_ENABLED", "0"),
    ("GO111MODULE", "on"),
    ("GOENV", "off"),
    ("GOFLAGS", ""),
    ("GOTOOLCHAIN", "local"),
    ("GOWORK", "off"),
];

/// Flags that keep paths, times and version control out of the binary.
const FLAGS: &[&str] = &["-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="];

/// For `go list`: a line for each file that imports "C", as [`cgo_reason`](super::cgo_reason)
/// reads it. A file is named as a person knows it: by its place where it is the chaincode's own,
/// by its package where it is another's.
const CGO_FILES: &str = "{{if not .Standard}}{{range .CgoFiles}}\
    {{$.ImportPath}}\t{{$.Name}}\t{{$.Dir}}\t\
    {{if and $.Module $.Module.Main}}{{$.Dir}}{{else}}{{$.ImportPath}}{{end}}/{{.}}\n\
    {{end}}{{end}}";

/// The Go command and the environment it is given.
#[derive(Clone, Debug)]
pub struct GoToolchain {
    program: OsString,
    environment: Vec<(OsString, OsString)>,
}

/// What is to be compiled, and for which platform.
#[derive(Clone, Debug)]
pub struct GoBuild {
    module: GoModule,
    platform: Platform,
}

/// A command for the caller to run, with a cleared environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildCommand {
    /// The program: a path, or a name to be found in `PATH`.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub directory: PathBuf,
}

impl GoToolchain {
    /// Uses `program` with those of the caller's `variables` that a build may see.
    pub fn new(
        program: impl Into<OsString>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let allowed = |name: &OsStr| ALLOWED.iter().any(|allowed| name == *allowed);
        Self {
            program: program.into(),
            environment: variables.into_iter().filter(|(name, _)| allowed(name)).collect(),
        }
    }

    pub(super) fn get(&self, variable: &OsStr) -> Option<&OsString> {
        let mut set = self.environment.iter().filter(|(name, _)| name == variable);
        set.next_back().map(|(_, value)| value)
    }

    pub(super) fn set(&mut self, variable: &str, value: OsString) {
        self.environment.retain(|(name, _)| name != variable);
        self.environment.push((variable.into(), value));
    }

    /// The command that prints the toolchain's version, such as `go1.26.8`.
    pub fn version_command(&self) -> BuildCommand {
        BuildCommand {
            program: self.program.clone(),
            arguments: vec!["env".into(), "GOVERSION".into()],
            environment: self.environment_with(&[]),
            directory: PathBuf::from("/"),
        }
    }

    fn environment_with(&self, more: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        let mut decided = self.clone();
        for (name, value) in PINNED.iter().chain(more) {
            decided.set(name, value.into());
        }
        decided.environment.sort();
        decided.environment
    }
}

impl GoBuild {
    /// Plans the build of `module` for `platform`.
    pub fn new(module: GoModule, platform: Platform) -> Self {
        Self { module, platform }
    }

    /// What of this plan decides the binary, besides the source and the toolchain.
    pub fn recipe(&self) -> Vec<String> {
        let target = [("GOOS", self.platform.os()), ("GOARCH", self.platform.architecture())];
        let variables = PINNED.iter().chain(&target);
        let mut recipe: Vec<String> =
            variables.map(|(name, value)| format!("{name}={value}")).collect();
        recipe.push(self.module.directory.clone());
        recipe.extend(self.flags());
        recipe.push(self.module.package.clone());
        recipe
    }

    /// The command that compiles the source below `root` into the executable `output`, which
    /// must be an absolute path.
    pub fn command(&self, toolchain: &GoToolchain, root: &Path, output: &Path) -> BuildCommand {
        let mut arguments: Vec<OsString> = vec!["build".into()];
        arguments.extend(self.flags().into_iter().map(Into::into));
        arguments.extend(["-o".into(), output.into(), self.module.package.clone().into()]);
        self.go(toolchain, root, arguments, &[])
    }

    /// The command that lists the files which would need cgo, for [`cgo_reason`]: after a build
    /// that failed, since those files were passed over without a word. It runs no compiler.
    ///
    /// [`cgo_reason`]: super::cgo_reason
    pub fn cgo_command(&self, toolchain: &GoToolchain, root: &Path) -> BuildCommand {
        let arguments = ["list", "-deps", "-e", self.dependencies(), "-f", CGO_FILES];
        let arguments = arguments.into_iter().chain([self.module.package.as_str()]);
        let arguments = arguments.map(Into::into).collect();
        self.go(toolchain, root, arguments, &[("CGO_ENABLED", "1")])
    }

    /// Makes sure that `output` is a program: of a package that is no main one, `go build` makes
    /// an archive without a word. Such packages of the chaincode's own module were refused by
    /// [`GoModule::open`] already.
    pub fn check(&self, output: &Path) -> Result<(), GoError> {
        let mut magic = [0; 4];
        let read = File::open(output).and_then(|mut file| file.read_exact(&mut magic));
        match read {
            Ok(()) if magic == *b"\x7fELF" => Ok(()),
            _ => Err(GoError::NoProgram { package: self.module.package.clone() }),
        }
    }

    fn go(
        &self,
        toolchain: &GoToolchain,
        root: &Path,
        arguments: Vec<OsString>,
        more: &[(&str, &str)],
    ) -> BuildCommand {
        let target = [("GOOS", self.platform.os()), ("GOARCH", self.platform.architecture())];
        BuildCommand {
            program: toolchain.program.clone(),
            arguments,
            environment: toolchain.environment_with(&[&target, more].concat()),
            directory: root.join(&self.module.directory),
        }
    }

    fn flags(&self) -> Vec<String> {
        let flags = FLAGS.iter().copied().chain([self.dependencies()]);
        flags.map(str::to_owned).collect()
    }

    fn dependencies(&self) -> &'static str {
        if self.module.vendored { "-mod=vendor" } else { "-mod=readonly" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(vendored: bool) -> GoBuild {
        let module = GoModule {
            directory: "src".to_owned(),
            package: "example.com/asset".to_owned(),
            vendored,
        };
        GoBuild::new(module, Platform::LinuxAmd64)
    }

    #[test]
    fn whole_command() {
        let variables = [
            ("PATH", "/usr/bin"),
            ("GOFLAGS", "-toolexec=evil"),
            ("CORE_PEER_LOCALMSPID", "Org1MSP"),
            ("GOPROXY", "off"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let toolchain = GoToolchain::new("go", variables);
        let command =
            plan(false).command(&toolchain, Path::new("/work"), Path::new("/out/chaincode"));
        let shown = command
            .environment
            .iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()));
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [
                "CGO_ENABLED=0",
                "GO111MODULE=on",
                "GOARCH=amd64",
                "GOENV=off",
                "GOFLAGS=",
                "GOOS=linux",
                "GOPROXY=off",
                "GOTOOLCHAIN=local",
                "GOWORK=off",
                "PATH=/usr/bin",
            ]
        );
        assert_eq!(
            command.arguments,
            [
                "build",
                "-trimpath",
                "-buildvcs=false",
                "-ldflags=-s -w -buildid=",
                "-mod=readonly",
                "-o",
                "/out/chaincode",
                "example.com/asset",
            ]
        );
        assert_eq!(command.directory, Path::new("/work/src"));
    }

    #[test]
    fn vendor_changes_the_recipe() {
        assert!(plan(true).recipe().contains(&"-mod=vendor".to_owned()));
        assert_ne!(plan(true).recipe(), plan(false).recipe());
    }
}
