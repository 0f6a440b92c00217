//! The one way a Go chaincode is compiled: a pure function of module, platform and settings.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;

use super::{GoError, GoModule, file_with_c, first_errors, without_c_compiler};
use crate::image::{Form, Part};
use crate::platform::Platform;
use crate::recipe::{BuildCommand, Failure, Fetch, Recipe, Refusal, Toolchain, Workplace};

/// The variables of the caller that reach `go build`: where it finds itself, modules, caches and
/// certificates. `PATH` and `GOROOT` choose the compiler, which is part of a build's key
/// ([`BuildKeyInputs::toolchain`](crate::image::BuildKeyInputs::toolchain)); what modules hold is
/// fixed by `go.sum`, wherever they come from. So the same key is the same binary.
pub(super) const ALLOWED: &[&str] = &[
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

/// The variables that decide what the binary is; they win over the caller's. Of a build with cgo
/// `CC` is one, and what it stands for: a toolchain's image has a digest for it; on a machine, where
/// the key is nobody else's, an image made with an older C compiler is as good as one with a newer.
///
/// `GOENV=off` keeps the builder's own `go env -w` settings out; `GOTOOLCHAIN=local` keeps a
/// `go.mod` from choosing, and downloading, another compiler.
pub(super) const PINNED: &[(&str, &str)] = &[
    ("GO111MODULE", "on"),
    ("GOENV", "off"),
    ("GOFLAGS", ""),
    ("GOTOOLCHAIN", "local"),
    ("GOWORK", "off"),
];

/// The command.
pub(super) const GO: &str = "go";

/// The name of the program that is made.
const PROGRAM: &str = "chaincode";

/// Flags that keep paths, times and version control out of the binary.
const FLAGS: &[&str] = &["-trimpath", "-buildvcs=false"];

/// How code without C is compiled: all of it by Go's compiler, for any platform.
pub(super) const PURE: Mode =
    Mode { variables: &[("CGO_ENABLED", "0")], flags: &["-ldflags=-s -w -buildid="] };

/// How code with C is compiled: by gcc, and linked statically, as Fabric's own builder does it
/// (`core/chaincode/platforms/golang/platform.go`, `getLDFlagsOpts`); so the image needs no
/// library. Names are looked up by Go's own code: what glibc has for that cannot be linked so.
const WITH_C: Mode = Mode {
    variables: &[("CGO_ENABLED", "1"), ("CC", "gcc"), ("CXX", "g++"), ("SOURCE_DATE_EPOCH", "0")],
    flags: &[
        "-tags=netgo,osusergo",
        "-ldflags=-s -w -buildid= -linkmode=external \"-extldflags=-static -Wl,--build-id=none\"",
    ],
};

/// For `go list`: a line for each file that imports "C", as [`cgo_reason`] reads it. A file is named as a person knows it: by its place where it is the chaincode's own,
/// by its package where it is another's.
const CGO_FILES: &str = "{{if not .Standard}}{{range .CgoFiles}}\
    {{$.ImportPath}}\t{{$.Name}}\t{{$.Dir}}\t\
    {{if and $.Module $.Module.Main}}{{$.Dir}}{{else}}{{$.ImportPath}}{{end}}/{{.}}\n\
    {{end}}{{end}}";

/// What is to be compiled, and for which platform.
#[derive(Clone, Debug)]
pub(super) struct GoBuild {
    module: GoModule,
    platform: Platform,
    /// Of code that does not compile without it.
    cgo: Option<Cgo>,
}

/// Why code is compiled with C.
#[derive(Clone, Debug)]
struct Cgo {
    /// A file that imports "C".
    file: String,
    /// What Go's compiler said without that file.
    without: Vec<String>,
}

/// One of the two ways to compile.
#[derive(Debug)]
pub(super) struct Mode {
    variables: &'static [(&'static str, &'static str)],
    flags: &'static [&'static str],
}

impl GoBuild {
    /// Plans the build of `module` for `platform`.
    pub(super) fn new(module: GoModule, platform: Platform) -> Self {
        Self { module, platform, cgo: None }
    }

    fn mode(&self) -> &'static Mode {
        if self.cgo.is_some() { &WITH_C } else { &PURE }
    }

    pub(super) fn go(
        &self,
        toolchain: &Toolchain,
        place: &Workplace<'_>,
        arguments: Vec<OsString>,
        more: &[(&str, &str)],
    ) -> BuildCommand {
        let target = [("GOOS", self.platform.os()), ("GOARCH", self.platform.architecture())];
        let pinned = [PINNED, self.mode().variables, &target, more].concat();
        let directory = place.source.join(&self.module.directory);
        toolchain.command(GO, arguments, &pinned, &directory)
    }

    pub(super) fn flags(&self, mode: &Mode) -> Vec<String> {
        let flags = FLAGS.iter().chain(mode.flags).copied().chain([self.dependencies()]);
        flags.map(str::to_owned).collect()
    }

    pub(super) fn dependencies(&self) -> &'static str {
        if self.module.vendored { "-mod=vendor" } else { "-mod=readonly" }
    }

    /// The main package, as an argument of the go command.
    pub(super) fn package(&self) -> &str {
        &self.module.package
    }
}

impl Recipe for GoBuild {
    fn inputs(&self) -> Vec<String> {
        let target = [("GOOS", self.platform.os()), ("GOARCH", self.platform.architecture())];
        let modes = [&PURE, &WITH_C];
        let of_modes = modes.iter().flat_map(|mode| mode.variables);
        let variables = PINNED.iter().chain(&target).chain(of_modes);
        let mut inputs: Vec<String> =
            variables.map(|(name, value)| format!("{name}={value}")).collect();
        inputs.push(self.module.directory.clone());
        inputs.extend(modes.iter().flat_map(|mode| self.flags(mode)));
        inputs.push(self.module.package.clone());
        inputs
    }

    fn form(&self) -> Form {
        Form::program()
    }

    fn fetch(&self) -> Option<&dyn Fetch> {
        Some(self)
    }

    fn commands(&self, toolchain: &Toolchain, place: &Workplace<'_>) -> Vec<BuildCommand> {
        let mut arguments: Vec<OsString> = vec!["build".into()];
        arguments.extend(self.flags(self.mode()).into_iter().map(Into::into));
        let output = place.output.join(PROGRAM);
        arguments.extend(["-o".into(), output.into(), self.module.package.clone().into()]);
        vec![self.go(toolchain, place, arguments, &[])]
    }

    /// Lists the files which would need cgo: the compiler passes them over without a word. It is
    /// Go's command alone, and runs no compiler.
    fn question(
        &self,
        _output: &str,
        toolchain: &Toolchain,
        place: &Workplace<'_>,
    ) -> Option<BuildCommand> {
        if self.cgo.is_some() {
            return None;
        }
        let arguments = ["list", "-deps", "-e", self.dependencies(), "-f", CGO_FILES];
        let arguments = arguments.into_iter().chain([self.module.package.as_str()]);
        let arguments = arguments.map(Into::into).collect();
        Some(self.go(toolchain, place, arguments, &[("CGO_ENABLED", "1")]))
    }

    /// What compiles without C is compiled so: most packages that have some do without.
    fn instead(&self, failure: &Failure<'_>) -> Option<Box<dyn Recipe>> {
        let Failure { command, output, answer } = failure;
        let file = file_with_c((*answer)?, output, &command.directory)?;
        let without = errors(output, command);
        Some(Box::new(Self { cgo: Some(Cgo { file, without }), ..self.clone() }))
    }

    fn errors(&self, failure: &Failure<'_>) -> Vec<String> {
        let Failure { command, output, .. } = failure;
        if let Some(cgo) = &self.cgo
            && let Some(reason) = without_c_compiler(output, &cgo.file)
        {
            // It may not be for want of C that it did not compile.
            return [vec![reason], cgo.without.clone()].concat();
        }
        errors(output, command)
    }

    /// Makes sure that it is a program: of a package that is no main one, `go build` makes an
    /// archive without a word. Such packages of the chaincode's own module were refused by
    /// [`GoModule::open`] already.
    fn parts(&self, place: &Workplace<'_>) -> Result<Vec<Part>, Refusal> {
        let program = place.output.join(PROGRAM);
        let mut magic = [0; 4];
        let read = File::open(&program).and_then(|mut file| file.read_exact(&mut magic));
        match read {
            Ok(()) if magic == *b"\x7fELF" => Ok(vec![Part::Program(program)]),
            _ => {
                let package = self.module.package.clone();
                Err(Refusal::Code(GoError::NoProgram { package }.into()))
            }
        }
    }
}

/// The first errors. What Go names by its whole path lies in a directory that nobody knows.
fn errors(output: &str, command: &BuildCommand) -> Vec<String> {
    first_errors(&output.replace(&format!("{}/", command.directory.display()), ""))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
        let toolchain = Toolchain::new(&mut variables.into_iter(), ALLOWED);
        let place = Workplace { source: Path::new("/work"), output: Path::new("/out") };
        let commands = plan(false).commands(&toolchain, &place);
        let [command] = &commands[..] else { panic!("{commands:?}") };
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
    fn vendor_changes_the_inputs() {
        assert!(plan(true).inputs().contains(&"-mod=vendor".to_owned()));
        assert_ne!(plan(true).inputs(), plan(false).inputs());
    }
}
