//! Tar archives from and for anywhere: read with bounds, written the same bytes every time.
//!
//! A package, a source stream and an image layer are all read by the one [`scan`] and written by
//! the one [`ArchiveWriter`].

mod bounds;
mod error;
mod gzip;
mod path;
mod scan;
mod staging;
mod unpack;
mod write;

pub use bounds::{MAX_PATH_BYTES, MAX_PATH_DEPTH};
pub use error::{ArchiveError, EntryFault};
pub use gzip::{GzipWriter, gunzip};
pub use path::EntryPath;
pub use scan::{Entry, Kind, Limits, Visit, scan};
pub use staging::stage;
pub use unpack::{Modes, unpack};
pub use write::ArchiveWriter;
