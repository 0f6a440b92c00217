//! One layer: a compressed tar on disk and the two digests that name it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use oci_spec::image::{Descriptor, MediaType};
use tempfile::{NamedTempFile, TempPath};

use super::descriptor::describe;
use crate::archive::{ArchiveWriter, GzipWriter};
use crate::digest::{Hashing, Sha256};

/// A layer in a temporary file, which goes when this is dropped.
#[derive(Debug)]
pub struct Layer {
    /// What a manifest says of it.
    pub descriptor: Descriptor,
    /// The digest of the tar before compression, which the image's configuration holds.
    pub diff_id: Sha256,
    pub(super) digest: Sha256,
    pub(super) file: TempPath,
}

/// What the entries of a layer are written to.
pub(super) type LayerArchive = ArchiveWriter<Hashing<GzipWriter<Hashing<BufWriter<File>>>>>;

impl Layer {
    /// Writes a layer to a temporary file in `scratch`, streaming.
    pub(super) fn write(
        scratch: &Path,
        fill: impl FnOnce(&mut LayerArchive) -> io::Result<()>,
    ) -> io::Result<Self> {
        let blob = NamedTempFile::new_in(scratch)?;
        let compressed = Hashing::new(BufWriter::new(blob.as_file().try_clone()?));
        let mut archive = ArchiveWriter::new(Hashing::new(GzipWriter::new(compressed)));
        fill(&mut archive)?;
        let (gzip, diff_id, _) = archive.finish()?.finish();
        let (mut writer, digest, size) = gzip.finish()?.finish();
        writer.flush()?;
        blob.as_file().sync_all()?;
        Ok(Self {
            descriptor: describe(MediaType::ImageLayerGzip, digest, size)
                .map_err(io::Error::other)?,
            diff_id,
            digest,
            file: blob.into_temp_path(),
        })
    }

    /// The compressed layer.
    pub fn path(&self) -> &Path {
        &self.file
    }
}
