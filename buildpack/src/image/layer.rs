//! One layer: a compressed tar on disk and the two digests that name it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use oci_spec::image::{Descriptor, MediaType};
use tempfile::{NamedTempFile, TempPath};

use super::descriptor::describe;
use crate::archive::{ArchiveWriter, EntryPath, GzipWriter, Packing};
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
        packing: Packing,
        fill: impl FnOnce(&mut LayerArchive) -> io::Result<()>,
    ) -> io::Result<Self> {
        let blob = NamedTempFile::new_in(scratch)?;
        let compressed = Hashing::new(BufWriter::new(blob.as_file().try_clone()?));
        let mut archive =
            ArchiveWriter::new(Hashing::new(GzipWriter::packing(packing, compressed)));
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

    /// A layer with what is in the directory `root`, sorted by name: files that somebody may execute
    /// are 0755, others 0644. The layer is a temporary file in `scratch`, as for
    /// [`assemble`](super::assemble).
    ///
    /// # Errors
    ///
    /// Also when there is anything but files and directories.
    pub fn of_directory(scratch: &Path, root: &Path) -> io::Result<Self> {
        Self::write(scratch, Packing::Deflated, |archive| add_directory(archive, root, ""))
    }

    /// The compressed layer.
    pub fn path(&self) -> &Path {
        &self.file
    }
}

/// Adds what is in `dir`, which is called `name` in the archive.
fn add_directory(archive: &mut LayerArchive, dir: &Path, name: &str) -> io::Result<()> {
    let mut children = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    children.sort_by_key(fs::DirEntry::file_name);
    for child in children {
        let name = format!("{name}{}", child.file_name().to_string_lossy());
        let path = EntryPath::parse(name.as_bytes()).map_err(io::Error::other)?;
        let kind = child.file_type()?;
        if kind.is_dir() {
            archive.directory(&path, 0o755)?;
            add_directory(archive, &child.path(), &format!("{name}/"))?;
        } else if kind.is_file() {
            let executable = child.metadata()?.permissions().mode() & 0o111 != 0;
            archive.file_at(&path, if executable { 0o755 } else { 0o644 }, &child.path())?;
        } else {
            return Err(io::Error::other(format!("{name} is neither a file nor a directory")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(root: &Path) {
        fs::create_dir_all(root.join("usr/bin")).unwrap();
        fs::write(root.join("usr/bin/tool"), "program").unwrap();
        fs::set_permissions(root.join("usr/bin/tool"), fs::Permissions::from_mode(0o711)).unwrap();
        fs::write(root.join("notes"), "text").unwrap();
        fs::set_permissions(root.join("notes"), fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn a_directory_is_the_same_layer_wherever_it_is() {
        let scratch = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| {
            let root = scratch.path().join(name);
            tree(&root);
            Layer::of_directory(scratch.path(), &root).unwrap()
        });
        assert_eq!(one.digest, other.digest);
    }

    #[test]
    fn what_is_neither_file_nor_directory_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("root");
        tree(&root);
        std::os::unix::fs::symlink("notes", root.join("link")).unwrap();
        let error = Layer::of_directory(scratch.path(), &root).unwrap_err();
        assert_eq!(error.to_string(), "link is neither a file nor a directory");
    }
}
