//! The one way a Go chaincode is compiled: a pure function of code, platform and settings.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;

use super::compiler::DOWNLOADS;
use super::{Dependencies, GoCode, GoError, file_with_c, first_errors, without_c_compiler};
use crate::image::{Form, Part};
use crate::platform::Platform;
use crate::recipe::{BuildCommand, Failure, Fetch, Recipe, Refusal, Toolchain, Workplace};

/// The variables of the caller that reach `go build`: where it finds itself, modules and caches. `PATH` and `GOROOT` choose the compiler, which is part of a build's key
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
    "NETRC",
    "GIT_SSL_CAINFO",
];

/// The variables that decide what the binary is; they win over the caller's. Of a build with cgo
/// `CC` is one, and what it stands for: a toolchain's image has a digest for it; on a machine, where
/// the key is nobody else's, an image made with an older C compiler is as good as one with a newer.
///
/// `GOENV=off` keeps the builder's own `go env -w` settings out; `GOTOOLCHAIN=local` keeps a
/// `go.mod` from choosing, and downloading, another compiler.
pub(super) const PINNED: &[(&str, &str)] =
    &[MODULES, ("GOENV", "off"), ("GOFLAGS", ""), ("GOTOOLCHAIN", "local"), ("GOWORK", "off")];

/// How code of a module is compiled.
const MODULES: (&str, &str) = ("GO111MODULE", "on");

/// How code is compiled that lies as in a GOPATH, which is then the source itself, and nothing is
/// fetched (Fabric `core/chaincode/platforms/golang/platform.go`, `buildScript`).
const NO_MODULES: (&str, &str) = ("GO111MODULE", "off");

/// The variable that says where that is.
const GOPATH: &str = "GOPATH";

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
    code: GoCode,
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
    /// Plans the build of `code` for `platform`.
    pub(super) fn new(code: GoCode, platform: Platform) -> Self {
        Self { code, platform, cgo: None }
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
        let pinned = [&self.variables()[..], self.mode().variables, more].concat();
        let directory = place.source.join(&self.code.directory);
        let mut toolchain = toolchain.clone();
        if self.code.dependencies == Dependencies::Gopath {
            toolchain.set(GOPATH, place.source);
        }
        toolchain.command(GO, arguments, &pinned, &directory)
    }

    /// What decides the program in either mode.
    fn variables(&self) -> Vec<(&'static str, &'static str)> {
        let target = [("GOOS", self.platform.os()), ("GOARCH", self.platform.architecture())];
        let pinned = PINNED.iter().copied().map(|pinned| match self.code.dependencies {
            Dependencies::Gopath if pinned == MODULES => NO_MODULES,
            _ => pinned,
        });
        pinned.chain(target).collect()
    }

    pub(super) fn flags(&self, mode: &Mode) -> Vec<String> {
        let flags = FLAGS.iter().chain(mode.flags).copied().chain(self.dependencies());
        flags.map(str::to_owned).collect()
    }

    /// Where Go is to look for modules, if there are some.
    pub(super) fn dependencies(&self) -> Option<&'static str> {
        match self.code.dependencies {
            Dependencies::Fetched => Some("-mod=readonly"),
            Dependencies::Vendored => Some("-mod=vendor"),
            Dependencies::Gopath => None,
        }
    }

    /// The first errors. What Go names by its whole path lies in a directory that nobody knows.
    fn told(&self, output: &str, command: &BuildCommand) -> Vec<String> {
        let directory = command.directory.to_string_lossy();
        let source = directory.strip_suffix(&self.code.directory).unwrap_or(&directory);
        first_errors(&output.replace(&format!("{directory}/"), "").replace(source, ""))
    }

    /// The main package, as an argument of the go command.
    pub(super) fn package(&self) -> &str {
        &self.code.package
    }
}

impl Recipe for GoBuild {
    fn inputs(&self) -> Vec<String> {
        let modes = [&PURE, &WITH_C];
        let of_modes = modes.iter().flat_map(|mode| mode.variables).copied();
        let variables = self.variables().into_iter().chain(of_modes);
        let mut inputs: Vec<String> =
            variables.map(|(name, value)| format!("{name}={value}")).collect();
        inputs.push(self.code.directory.clone());
        inputs.extend(modes.iter().flat_map(|mode| self.flags(mode)));
        inputs.push(self.code.package.clone());
        inputs
    }

    fn form(&self) -> Form {
        Form::program()
    }

    fn fetch(&self) -> Option<&dyn Fetch> {
        (self.code.dependencies != Dependencies::Gopath).then_some(self)
    }

    fn commands(&self, toolchain: &Toolchain, place: &Workplace<'_>) -> Vec<BuildCommand> {
        let mut arguments: Vec<OsString> = vec!["build".into()];
        arguments.extend(self.flags(self.mode()).into_iter().map(Into::into));
        let output = place.output.join(PROGRAM);
        arguments.extend(["-o".into(), output.into(), self.code.package.clone().into()]);
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
        let arguments = ["list", "-deps", "-e", "-f", CGO_FILES].into_iter();
        let arguments = arguments.chain(self.dependencies()).chain([self.code.package.as_str()]);
        let arguments = arguments.map(Into::into).collect();
        Some(self.go(toolchain, place, arguments, &[("CGO_ENABLED", "1")]))
    }

    /// What compiles without C is compiled so: most packages that have some do without.
    fn instead(&self, failure: &Failure<'_>) -> Option<Box<dyn Recipe>> {
        let Failure { command, output, answer, .. } = failure;
        let file = file_with_c((*answer)?, output, &command.directory)?;
        let without = self.told(output, command);
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
        failure.with_wait(self.told(output, command), DOWNLOADS)
    }

    /// Makes sure that it is a program: of a package that is no main one, `go build` makes an
    /// archive without a word. Such packages of the chaincode's own were refused by
    /// [`GoCode::open`] already.
    fn parts(&self, place: &Workplace<'_>) -> Result<Vec<Part>, Refusal> {
        let program = place.output.join(PROGRAM);
        let mut magic = [0; 4];
        let read = File::open(&program).and_then(|mut file| file.read_exact(&mut magic));
        match read {
            Ok(()) if magic == *b"\x7fELF" => Ok(vec![Part::Program(program)]),
            _ => {
                let package = self.code.package.clone();
                Err(Refusal::Code(GoError::NoProgram { package }.into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn plan(dependencies: Dependencies) -> GoBuild {
        let (directory, package) = match dependencies {
            Dependencies::Gopath => ("src/example.com/asset", "."),
            _ => ("src", "example.com/asset"),
        };
        let (directory, package) = (directory.to_owned(), package.to_owned());
        GoBuild::new(GoCode { directory, package, dependencies }, Platform::LinuxAmd64)
    }

    /// The one command, with what a caller's environment may have.
    fn command(dependencies: Dependencies) -> BuildCommand {
        let variables = [
            ("PATH", "/usr/bin"),
            ("GOFLAGS", "-toolexec=evil"),
            ("CORE_PEER_LOCALMSPID", "Org1MSP"),
            ("GOPATH", "/home/somebody/go"),
            ("GOPROXY", "off"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let toolchain = Toolchain::new(&mut variables.into_iter(), ALLOWED);
        let place = Workplace { source: Path::new("/work"), output: Path::new("/out") };
        let commands = plan(dependencies).commands(&toolchain, &place);
        assert_eq!(commands.len(), 1, "{commands:?}");
        commands.into_iter().next().unwrap()
    }

    fn environment(command: &BuildCommand) -> Vec<String> {
        let shown = |(name, value): &(OsString, OsString)| {
            format!("{}={}", name.display(), value.display())
        };
        command.environment.iter().map(shown).collect()
    }

    #[test]
    fn whole_command() {
        let command = command(Dependencies::Fetched);
        assert_eq!(
            environment(&command),
            [
                "CGO_ENABLED=0",
                "GO111MODULE=on",
                "GOARCH=amd64",
                "GOENV=off",
                "GOFLAGS=",
                "GOOS=linux",
                "GOPATH=/home/somebody/go",
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
    fn in_a_gopath_the_source_is_all_there_is() {
        let command = command(Dependencies::Gopath);
        let environment = environment(&command);
        for said in ["GO111MODULE=off", "GOPATH=/work", "CGO_ENABLED=0", "GOFLAGS="] {
            assert!(environment.iter().any(|variable| variable == said), "{environment:?}");
        }
        let arguments = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="];
        assert_eq!(command.arguments[1..4], arguments);
        assert_eq!(command.arguments[4..], ["-o", "/out/chaincode", "."]);
        assert_eq!(command.directory, Path::new("/work/src/example.com/asset"));
    }

    #[test]
    fn where_nobody_knows_is_not_told() {
        let command = command(Dependencies::Gopath);
        let output = "main.go:4:2: cannot find package \"x\" in any of:\n\
                      \t/go/src/x (from $GOROOT)\n\t/work/src/x (from $GOPATH)\n";
        let told = plan(Dependencies::Gopath).told(output, &command);
        assert_eq!(told[..3].last().unwrap(), "    src/x (from $GOPATH)");
        assert!(told.last().unwrap().contains("made as from a GOPATH"), "{told:?}");
    }

    #[test]
    fn where_dependencies_are_changes_the_inputs() {
        let inputs = |dependencies| plan(dependencies).inputs();
        assert!(inputs(Dependencies::Vendored).contains(&"-mod=vendor".to_owned()));
        assert_ne!(inputs(Dependencies::Vendored), inputs(Dependencies::Fetched));
        assert!(inputs(Dependencies::Gopath).contains(&"GO111MODULE=off".to_owned()));
    }
}
