//! Opens a file where somebody else may have put another thing: a pipe without waiting for its
//! other end, and nothing but a regular file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a file to read it; its size in bytes.
pub(super) fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = opened(File::options().read(true), path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// Opens a file to write in it, making it if there is none.
pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
    opened(File::options().create(true).truncate(false).write(true), path)
}

fn opened(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let without_waiting = OFlags::NONBLOCK.bits().cast_signed();
    let file = options.custom_flags(without_waiting).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file"))
    }
}
