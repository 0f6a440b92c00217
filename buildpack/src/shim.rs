//! How a chaincode's shim and its peer come together: which of the two listens.

/// Who dials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shim {
    /// The chaincode dials its peer.
    #[default]
    Dials,
    /// The chaincode listens for its peer, and dials at most where it is not told to listen.
    Listens(Security),
}

/// Whether a chaincode that listens does so with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// With the certificates that it is given.
    Tls,
    /// Without: it knows of no variable that would have it.
    Plain,
}
