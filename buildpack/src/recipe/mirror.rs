//! A repository of files that never change, of which a build is given a mirror that keeps them for
//! other builds.
//!
//! It is for tools that find out what they need only by running what they have fetched. Nobody can
//! fetch for those ahead (`fetch.rs`), and what they run must not write to what other builds read. So
//! they ask, and somebody who runs nothing brings them the files: all that a build can make of that
//! is that a file is kept which is the repository's own.
//!
//! What builds of the same needs ([`Recipe::needs`]) have asked for, the next one has before it asks.
//!
//! [`Recipe::needs`]: super::plan::Recipe::needs

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::repository_path::RepositoryPath;
use super::toolchain::Toolchain;

/// Where the kept files of all repositories are, in what builds share.
pub const MIRRORS: &str = "mirrors";

/// What follows the name of a kept file in that of its checksum.
pub const CHECKSUM: &str = ".sha1";

/// A repository that is mirrored. Its functions are pure but for [`Mirror::asking`].
pub trait Mirror: fmt::Debug + Send + Sync {
    /// What it is called among those of other tools.
    fn name(&self) -> &'static str;

    /// The variable that names another in its place.
    fn variable(&self) -> &'static str;

    /// Its address.
    fn address(&self) -> &'static str;

    /// What a file of it is.
    fn content(&self, path: &RepositoryPath) -> Content;

    /// The tools as those have them who build, which ask the mirror at `address`; none if they are
    /// told to ask somebody else.
    fn asking(&self, toolchain: &Toolchain, address: &str) -> io::Result<Option<Toolchain>>;

    /// The directory where the tools look for a file before they ask, by its path in the repository;
    /// none if it is not known.
    fn place(&self, toolchain: &Toolchain) -> Option<PathBuf>;
}

/// What a file of a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// It never becomes another. Beside it the repository has its SHA-1, with [`CHECKSUM`] behind the
    /// name.
    Lasting,
    /// The SHA-1 of such a file.
    ChecksumOf(RepositoryPath),
    /// It may be another tomorrow.
    Passing,
}
