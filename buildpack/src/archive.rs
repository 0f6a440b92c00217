//! Tar archives from and for anywhere: read with bounds, written the same bytes every time.
//!
//! A source stream and an image layer are read by the one [`scan`], a package as a peer reads it
//! ([`GoTar`]); all are written by the one [`ArchiveWriter`].

mod bounds;
mod error;
mod extensions;
mod go_entry;
mod go_tar;
mod gzip;
mod link;
mod path;
mod printable;
mod scan;
mod staging;
mod unpack;
mod write;
mod zstd;

pub use bounds::{MAX_PATH_BYTES, MAX_PATH_DEPTH};
pub use error::{ArchiveError, EntryFault};
pub(crate) use extensions::{Extended, Extensions};
pub(crate) use go_entry::{GoEntry, GoKind};
pub(crate) use go_tar::{GoTar, check_header, check_records};
pub(crate) use gzip::Packing;
pub use gzip::{GzipWriter, gunzip};
pub use link::LinkTarget;
pub use path::EntryPath;
pub(crate) use path::{MAX_NAME_BYTES, leads_out};
pub(crate) use printable::printable;
pub use scan::{Entry, Kind, Limits, Link, Stamp, Visit, scan};
pub use staging::stage;
pub use unpack::{Modes, unpack};
pub use write::ArchiveWriter;
pub(crate) use zstd::unzstd;
