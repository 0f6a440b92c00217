//! The language or kind of a chaincode, and what becomes of it.

use std::fmt;

use serde::{Serialize, Serializer};

/// The language or kind of a chaincode, by the package's name for it. Case does not matter to a
/// peer (Fabric `core/container/dockercontroller/dockercontroller.go`, `Build`); it is shown in
/// lower case, as Fabric's builders compare it (`ccaas_builder/cmd/detect/main.go`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChaincodeType {
    /// Go.
    Golang,
    /// JavaScript and TypeScript.
    Node,
    /// Java, Kotlin and other languages of its machine.
    Java,
    /// A program that is compiled already, as Fabric's own test suites have them
    /// (`integration/externalbuilders/binary`).
    Binary,
    /// A server that somebody else runs, and the peer dials.
    Ccaas,
    /// An image that is there already, as fabric-builder-k8s takes it
    /// (`docs/concepts/chaincode-package.md`).
    K8s,
    /// Any other, in lower case.
    Other(String),
}

/// What becomes of a chaincode of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// The launcher builds it from source and runs it.
    Built,
    /// It is an image that somebody else made, which the launcher runs.
    Named,
    /// It is served elsewhere, and the peer is told where: there is nothing to build or to run.
    Served,
    /// It is left to the peer's next builder.
    Declined,
}

impl ChaincodeType {
    /// Those that Selvedge takes.
    pub const TAKEN: [Self; 6] =
        [Self::Golang, Self::Node, Self::Java, Self::Binary, Self::Ccaas, Self::K8s];

    /// The type of that name, in any case.
    pub fn named(name: &str) -> Self {
        match name.to_lowercase().as_str() {
            "golang" => Self::Golang,
            "node" => Self::Node,
            "java" => Self::Java,
            "binary" => Self::Binary,
            "ccaas" => Self::Ccaas,
            "k8s" => Self::K8s,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The name in lower case.
    pub fn name(&self) -> &str {
        match self {
            Self::Golang => "golang",
            Self::Node => "node",
            Self::Java => "java",
            Self::Binary => "binary",
            Self::Ccaas => "ccaas",
            Self::K8s => "k8s",
            Self::Other(name) => name,
        }
    }

    /// What becomes of it.
    pub fn handling(&self) -> Handling {
        match self {
            Self::Golang | Self::Node | Self::Java | Self::Binary => Handling::Built,
            Self::K8s => Handling::Named,
            Self::Ccaas => Handling::Served,
            Self::Other(_) => Handling::Declined,
        }
    }
}

impl fmt::Display for ChaincodeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name().escape_debug())
    }
}

impl Serialize for ChaincodeType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_each_in_any_case() {
        for (names, handling) in [
            (
                &["golang", "GOLANG", "GoLang", "node", "NODE", "java", "Java", "binary"][..],
                Handling::Built,
            ),
            (&["k8s", "K8S"], Handling::Named),
            (&["ccaas", "CCAAS", "CCaaS"], Handling::Served),
            (
                &[
                    "",
                    "go",
                    "golang ",
                    " ccaas",
                    "ccaas\n",
                    "k8",
                    "k8s ",
                    "external",
                    "nodejs",
                    "javascript",
                ],
                Handling::Declined,
            ),
        ] {
            for name in names {
                assert_eq!(ChaincodeType::named(name).handling(), handling, "{name:?}");
            }
        }
        for taken in ChaincodeType::TAKEN {
            assert_ne!(taken.handling(), Handling::Declined, "{taken}");
        }
    }
}
