//! A file that is written through a buffer and knows by itself how far it is.
//!
//! A `ZipWriter` asks where it is at each entry, of which a jar with dependencies has tens of thousands;
//! `BufWriter` empties its buffer before it asks the file.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

/// What is written at once, in bytes.
const BUFFER: usize = 256 << 10;

pub(super) struct Positioned {
    file: BufWriter<File>,
    position: u64,
}

impl Positioned {
    /// A file that was just made.
    pub(super) fn new(file: File) -> Self {
        Self { file: BufWriter::with_capacity(BUFFER, file), position: 0 }
    }
}

impl Write for Positioned {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Positioned {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if to != SeekFrom::Current(0) && to != SeekFrom::Start(self.position) {
            self.position = self.file.seek(to)?;
        }
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn it_is_where_it_says() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut file = Positioned::new(File::create(&path).unwrap());
        file.write_all(b"one two").unwrap();
        assert_eq!(file.stream_position().unwrap(), 7);
        assert_eq!(fs::read(&path).unwrap(), b"", "it asked nobody");
        assert_eq!(file.seek(SeekFrom::Start(7)).unwrap(), 7);
        assert_eq!(file.seek(SeekFrom::Start(4)).unwrap(), 4);
        file.write_all(b"six").unwrap();
        assert_eq!(file.seek(SeekFrom::End(0)).unwrap(), 7);
        file.write_all(b".").unwrap();
        file.flush().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one six.");
    }
}
