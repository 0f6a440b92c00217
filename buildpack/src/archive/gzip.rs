//! Gzip whose header and levels never vary, and decompression that knows what is no gzip.

use std::io::{self, BufReader, Cursor, Read, Write};

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use super::ArchiveError;

/// "Unknown" in RFC 1952, section 2.3.1: the default names the machine that compressed.
const UNKNOWN_OS: u8 = 255;

/// Compresses to the same bytes everywhere: no time, no name, no operating system, one level for what
/// is to be compressed.
pub struct GzipWriter<W: Write>(GzEncoder<W>);

/// Whether what is put into a gzip file can become smaller by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// It can.
    Deflated,
    /// It was compressed before. It is put in as it is: to compress it again takes long, and brings
    /// little (a jar with all that Java chaincode needs, of 42 MB: more than a second for a tenth).
    Stored,
}

impl<W: Write> GzipWriter<W> {
    /// Begins a gzip file of what is to be compressed.
    pub fn new(inner: W) -> Self {
        Self::packing(Packing::Deflated, inner)
    }

    /// Begins a gzip file.
    pub(crate) fn packing(packing: Packing, inner: W) -> Self {
        let level = match packing {
            Packing::Deflated => Compression::new(6),
            Packing::Stored => Compression::none(),
        };
        let header = GzBuilder::new().mtime(0).operating_system(UNKNOWN_OS);
        Self(header.write(inner, level))
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
