//! The language or kind of a chaincode.

use std::fmt;

use serde::{Serialize, Serializer};

/// The language or kind of a chaincode, by the package's name for it. Case does not matter to a
/// peer (Fabric `core/container/dockercontroller/dockercontroller.go`, `Build`); it is shown in
/// lower case, as Fabric's sample `detect` compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChaincodeType {
    /// Go.
    Golang,
    /// JavaScript and TypeScript.
    Node,
    /// Java, Kotlin and other languages of its machine.
    Java,
    /// An image that is there already, as fabric-builder-k8s takes it
    /// (`docs/concepts/chaincode-package.md`).
    K8s,
    /// Any other, in lower case.
    Other(String),
}

impl ChaincodeType {
    /// Those that Selvedge takes; any other is left to the peer's next builder.
    pub const TAKEN: [Self; 2] = [Self::Golang, Self::K8s];

    /// The type of that name, in any case.
    pub fn named(name: &str) -> Self {
        match name.to_lowercase().as_str() {
            "golang" => Self::Golang,
            "node" => Self::Node,
            "java" => Self::Java,
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
            Self::K8s => "k8s",
            Self::Other(name) => name,
        }
    }

    /// Whether Selvedge takes it.
    pub fn is_taken(&self) -> bool {
        Self::TAKEN.contains(self)
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
    fn what_is_taken_is_taken_in_any_case() {
        for name in ["golang", "GOLANG", "GoLang", "k8s", "K8S"] {
            assert!(ChaincodeType::named(name).is_taken(), "{name}");
        }
        for name in ["", "go", "golang ", "node", "ccaas", "k8", "k8s "] {
            assert!(!ChaincodeType::named(name).is_taken(), "{name:?}");
        }
    }
}
