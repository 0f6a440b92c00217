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
    /// Any other, in lower case.
    Other(String),
}

impl ChaincodeType {
    /// Those that Selvedge builds; any other is left to the peer's next builder.
    pub const BUILT: [Self; 2] = [Self::Golang, Self::Node];

    /// The type of that name, in any case.
    pub fn named(name: &str) -> Self {
        match name.to_lowercase().as_str() {
            "golang" => Self::Golang,
            "node" => Self::Node,
            "java" => Self::Java,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The name in lower case.
    pub fn name(&self) -> &str {
        match self {
            Self::Golang => "golang",
            Self::Node => "node",
            Self::Java => "java",
            Self::Other(name) => name,
        }
    }

    /// Whether Selvedge builds it.
    pub fn is_built(&self) -> bool {
        Self::BUILT.contains(self)
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
    fn what_is_built_in_any_case() {
        for name in ["golang", "GOLANG", "GoLang", "node", "NODE"] {
            assert!(ChaincodeType::named(name).is_built(), "{name}");
        }
        for name in ["", "go", "golang ", "nodejs", "ccaas"] {
            assert!(!ChaincodeType::named(name).is_built(), "{name:?}");
        }
    }
}
