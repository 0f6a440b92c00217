//! A file that is read here and there, of which a piece is in memory.
//!
//! A `ZipArchive` goes to the head of each entry and then to its content, of which a jar with dependencies
//! has tens of thousands, in an order that is mostly the file's own; `BufReader` forgets what it has read
//! whenever it is told to go somewhere.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

/// What is in memory, in bytes.
const WINDOW: usize = 256 << 10;

pub(super) struct Windowed {
    file: File,
    size: u64,
    position: u64,
    /// Where in the file the piece begins that is in memory.
    begin: u64,
    window: Vec<u8>,
}

impl Windowed {
    /// A file from its beginning, that nobody writes to.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file, size, position: 0, begin: 0, window: Vec::with_capacity(WINDOW) })
    }

    /// What is in memory from where it is read next.
    fn ahead(&self) -> &[u8] {
        let from =
            self.position.checked_sub(self.begin).and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| self.window.get(from..)).unwrap_or_default()
    }

    fn move_window(&mut self) -> io::Result<()> {
        self.begin = self.position;
        self.window.resize(WINDOW, 0);
        let read = self.file.read_at(&mut self.window, self.begin);
        self.window.truncate(*read.as_ref().unwrap_or(&0));
        read.map(drop)
    }
}

impl Read for Windowed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead().is_empty() {
            self.move_window()?;
        }
        let read = self.ahead().read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Windowed {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(from) => self.size.checked_add_signed(from),
            SeekFrom::Current(from) => self.position.checked_add_signed(from),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn it_reads_what_is_there_wherever_it_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let content: Vec<u8> = (0..=250).cycle().take(3 * WINDOW / 2).collect();
        fs::write(&path, &content).unwrap();
        let mut file = Windowed::new(File::open(&path).unwrap()).unwrap();
        let mut piece = vec![0; 1000];
        for at in [0, 500, WINDOW - 10, 100, content.len() - 1000, WINDOW + 1, 0] {
            assert_eq!(file.seek(SeekFrom::Start(at as u64)).unwrap(), at as u64);
            file.read_exact(&mut piece).unwrap();
            assert!(piece == content[at..at + 1000], "{at}");
            assert_eq!(file.stream_position().unwrap(), at as u64 + 1000);
        }
        let end = content.len() as u64;
        assert_eq!(file.seek(SeekFrom::End(-1)).unwrap(), end - 1);
        assert_eq!(file.seek(SeekFrom::Current(-3)).unwrap(), end - 4);
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, content[content.len() - 4..]);
        file.seek(SeekFrom::End(5)).unwrap();
        assert_eq!(file.read(&mut piece).unwrap(), 0);
        assert!(file.seek(SeekFrom::Current(-1 << 40)).is_err());
        file.rewind().unwrap();
        rest.clear();
        file.read_to_end(&mut rest).unwrap();
        assert!(rest == content);
    }
}
