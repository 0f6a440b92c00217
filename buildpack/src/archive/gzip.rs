//! Gzip whose header and level never vary, and decompression that knows what is no gzip.

use std::io::{self, BufReader, Cursor, Read, Write};

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use super::ArchiveError;

/// "Unknown" in RFC 1952, section 2.3.1: the default names the machine that compressed.
const UNKNOWN_OS: u8 = 255;

/// Compresses to the same bytes everywhere: no time, no name, no operating system, one level.
pub struct GzipWriter<W: Write>(GzEncoder<W>);

impl<W: Write> GzipWriter<W> {
    /// Begins a gzip file.
    pub fn new(inner: W) -> Self {
        let header = GzBuilder::new().mtime(0).operating_system(UNKNOWN_OS);
        Self(header.write(inner, Compression::new(6)))
    }

    /// Writes the trailer and gives back what was written to.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Decompresses all members of a gzip file, as Go's reader and so the peer's does.
pub fn gunzip<R: Read>(mut reader: R) -> Result<impl Read, ArchiveError> {
    let mut magic = [0; 2];
    let mut filled = 0;
    while filled < magic.len() {
        match reader.read(&mut magic[filled..]) {
            Ok(0) => return Err(ArchiveError::NotGzip),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ArchiveError::reading(error)),
        }
    }
    if magic != [0x1f, 0x8b] {
        return Err(ArchiveError::NotGzip);
    }
    let whole = Cursor::new(magic).chain(reader);
    Ok(MultiGzDecoder::new(BufReader::with_capacity(64 * 1024, whole)))
}
