//! The languages that chaincode is built from: an entry here, and a folder of its own for each.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;

use selvedge_package::ChaincodeType;

use crate::binary::Binary;
use crate::golang::Golang;
use crate::java::Java;
use crate::node::Node;
use crate::platform::Platform;
use crate::recipe::{BuildCommand, Buildpack, Mirror, Recipe, Refusal, Toolchain, Vendoring};
use crate::shim::Shim;
use crate::source::Source;

/// A language that chaincode is built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Go.
    Golang,
    /// JavaScript and TypeScript.
    Node,
    /// Java, and what else Maven and Gradle make jars of.
    Java,
    /// Whatever it was: it is compiled already.
    Binary,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Golang, Self::Node, Self::Java, Self::Binary];

    /// The language that packages of this type are written in; none for what is not built.
    pub fn of(kind: &ChaincodeType) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.kind() == *kind)
    }

    /// The type of its packages.
    pub fn kind(self) -> ChaincodeType {
        match self {
            Self::Golang => ChaincodeType::Golang,
            Self::Node => ChaincodeType::Node,
            Self::Java => ChaincodeType::Java,
            Self::Binary => ChaincodeType::Binary,
        }
    }

    /// Its tools, which see those of the caller's `variables` that a build may see. For what they
    /// need and would not find, directories are made below `own`.
    pub fn toolchain(
        self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        own: &Path,
    ) -> io::Result<Toolchain> {
        self.buildpack().toolchain(&mut variables.into_iter(), own)
    }

    /// Whether anything has to be run to make an image of it.
    pub fn is_compiled(self) -> bool {
        self != Self::Binary
    }

    /// Whether its tools run something that a package, or what one depends on, brings along: scripts,
    /// plugins. What those of others keep for the next build, no package has a say in.
    pub fn runs_packages(self) -> bool {
        self.buildpack().runs_packages()
    }

    /// The command whose last line is the toolchain's version, such as `go1.26.8`; none of what needs
    /// no tools.
    pub fn version(self, toolchain: &Toolchain) -> Option<BuildCommand> {
        self.buildpack().version(toolchain)
    }

    /// How the `source` of a package is built whose metadata has this `path`; or why it cannot be.
    pub fn recipe(
        self,
        source: &Source,
        path: &str,
        platform: Platform,
    ) -> Result<Box<dyn Recipe>, Refusal> {
        self.buildpack().recipe(source, path, platform)
    }

    /// The repository of which some of its recipes have a mirror ([`Recipe::mirror`]); none of a
    /// language whose recipes have none.
    pub fn mirror(self) -> Option<&'static dyn Mirror> {
        self.buildpack().mirror()
    }

    /// Whether the chaincode listens for its peer, by the `source` of a package whose metadata has
    /// this `path`.
    pub fn shim(self, source: &Source, path: &str) -> Shim {
        self.buildpack().shim(source, path)
    }

    /// How the dependencies of the chaincode in `directory`, whose code is also `staged` as it lies in
    /// a package, come into one; none if they are there already.
    pub fn vendoring(
        self,
        directory: &Path,
        staged: &Path,
        toolchain: &Toolchain,
    ) -> Result<Option<Vendoring>, Refusal> {
        self.buildpack().vendoring(directory, staged, toolchain)
    }

    /// The arguments, after the image's entry point, by which its shim finds a peer at `address`,
    /// `host:port` (Fabric `core/container/dockercontroller/dockercontroller.go`, `GetArgs`).
    pub fn arguments(self, address: &str) -> Vec<String> {
        self.buildpack().arguments(address)
    }

    fn buildpack(self) -> &'static dyn Buildpack {
        match self {
            Self::Golang => &Golang,
            Self::Node => &Node,
            Self::Java => &Java,
            Self::Binary => &Binary,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}
