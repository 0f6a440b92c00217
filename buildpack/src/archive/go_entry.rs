//! An entry of a tar archive as Go's reader sees it.

/// What the archive says of an entry.
#[derive(Clone, Debug)]
pub(crate) struct GoEntry {
    /// Its name, as it is.
    pub(crate) name: Vec<u8>,
    /// What it is.
    pub(crate) kind: GoKind,
    /// Bytes of its content, holes included.
    pub(crate) size: u64,
    /// Whether its owner may execute it.
    pub(crate) executable: bool,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GoKind {
    File,
    Directory,
    Symlink(Vec<u8>),
    HardLink(Vec<u8>),
    Other(u8),
}
