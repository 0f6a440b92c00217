//! How long and how deep the path of an entry may be.

/// The longest path of an entry, in bytes: a quarter of Linux's `PATH_MAX`, which leaves room for
/// the directory it is unpacked in and is four times the longest in Go's own module cache.
pub const MAX_PATH_BYTES: usize = 1024;

/// The deepest path of an entry, in components, which bounds the directories one entry can make.
pub const MAX_PATH_DEPTH: usize = 64;
