//! The ways in which Selvedge is added to a peer by the manifests.

/// How much of Selvedge a peer has, and where its chaincode runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installation {
    /// Nothing of it: a peer as anybody has it.
    None,
    /// The launcher beside it; chaincode in its own namespace.
    SameNamespace,
    /// The launcher beside it; chaincode in a namespace that is made for it.
    OwnNamespace,
    /// The launcher beside it, which is the registry; chaincode in its own namespace.
    OwnRegistry,
}

impl Installation {
    /// The directory of its kustomization.
    pub(crate) fn kustomization(self) -> &'static str {
        match self {
            Self::None => "plain",
            Self::SameNamespace => "same",
            Self::OwnNamespace => "own",
            Self::OwnRegistry => "registry",
        }
    }
}
