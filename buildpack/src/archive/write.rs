//! A tar writer whose output depends on names and contents alone.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use tar::{EntryType, Header};

use super::{EntryPath, LinkTarget};

/// Writes a tar archive with no trace of who wrote it and when: times, owners and groups are 0.
///
/// The caller gives the entries in an order of their own making; sorted by path is the usual one.
pub struct ArchiveWriter<W: Write>(tar::Builder<W>);

impl<W: Write> ArchiveWriter<W> {
    /// Begins an archive.
    pub fn new(inner: W) -> Self {
        Self(tar::Builder::new(inner))
    }

    /// Adds a directory with the permission bits `mode`.
    pub fn directory(&mut self, path: &EntryPath, mode: u32) -> io::Result<()> {
        let mut header = header(EntryType::Directory, mode, 0);
        self.0.append_data(&mut header, format!("{path}/"), io::empty())
    }

    /// Adds a file with the permission bits `mode` and all of `content`.
    pub fn bytes(&mut self, path: &EntryPath, mode: u32, content: &[u8]) -> io::Result<()> {
        self.file(path, mode, content.len() as u64, content)
    }

    /// Adds a file with the permission bits `mode`: exactly `size` bytes of `content`.
    pub fn file(
        &mut self,
        path: &EntryPath,
        mode: u32,
        size: u64,
        content: impl Read,
    ) -> io::Result<()> {
        let mut content = Counted { inner: content.take(size), count: 0 };
        let mut header = header(EntryType::Regular, mode, size);
        self.0.append_data(&mut header, path.as_str(), &mut content)?;
        if content.count == size {
            Ok(())
        } else {
            Err(io::Error::other("the file became shorter while it was read"))
        }
    }

    /// Adds the file at `on_disk`, streaming it.
    pub fn file_at(&mut self, path: &EntryPath, mode: u32, on_disk: &Path) -> io::Result<()> {
        let file = File::open(on_disk)?;
        let size = file.metadata()?.len();
        self.file(path, mode, size, file)
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &EntryPath, target: &LinkTarget) -> io::Result<()> {
        let mut header = header(EntryType::Symlink, 0o777, 0);
        self.0.append_link(&mut header, path.as_str(), target.as_str())
    }

    /// Writes the end marker and gives back what was written to.
    pub fn finish(self) -> io::Result<W> {
        self.0.into_inner()
    }
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}
