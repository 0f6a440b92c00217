//! Where a recipe is carried out.

use std::path::Path;

/// A recipe's directories: absolute paths.
#[derive(Clone, Copy, Debug)]
pub struct Workplace<'a> {
    /// The directory that holds `src`.
    pub source: &'a Path,
    /// A directory for what is made; empty at the beginning.
    pub output: &'a Path,
}
