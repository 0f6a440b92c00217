//! Reads a small file where a package or its build may have put anything: a link, a pipe that nobody
//! writes to, a file that does not end.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Whether a file is there itself, and no link to another.
pub(super) fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
}

/// All of a file.
///
/// # Errors
///
/// Also when it is a link or no file, or has more than `most` bytes.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file"));
    }
    let mut content = Vec::new();
    // Files of `/proc` say that they are empty.
    file.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        let told = format!("it is larger than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, told));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn a_small_file_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        fs::write(path("file"), "1234").unwrap();
        assert_eq!(read(&path("file"), 4).unwrap(), b"1234");
        assert_eq!(read(&path("file"), 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(is_file(&path("file")));

        fs::create_dir(path("directory")).unwrap();
        mknodat(CWD, path("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        symlink(path("file"), path("link")).unwrap();
        symlink("/dev/zero", path("zero")).unwrap();
        for name in ["directory", "pipe", "link", "zero", "nothing"] {
            assert!(read(&path(name), 4).is_err(), "{name}");
            assert!(!is_file(&path(name)), "{name}");
        }
    }
}
