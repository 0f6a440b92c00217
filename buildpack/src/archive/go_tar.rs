//! Tar archives as Go's `archive/tar` reads them, which is how a peer reads a package.
//!
//! [`scan`](super::scan) is for archives that Selvedge may be strict with: it refuses what two
//! readers could understand differently. A package is taken apart by a peer, and what is in it
//! is what the peer finds: this reads as much as Go does (`src/archive/tar/reader.go`), no more
//! and no less.

mod content;
mod header;
mod pax;
mod sparse;

use std::io::{self, Read};

use content::Content;
use header::{BLOCK, Header};
use pax::Pax;
use sparse::Sparse;

use super::ArchiveError;
use super::go_entry::GoEntry;

/// The most that Go reads of what describes an entry, in bytes (`maxSpecialFileSize`).
const LARGEST_SPECIAL: u64 = 1 << 20;

/// An archive, at one of its entries: reading from it reads that entry's content.
pub(crate) struct GoTar<R> {
    reader: R,
    /// Bytes of the entry that are still to come.
    left: u64,
    /// Bytes that fill its last block.
    padding: u64,
    /// Where the holes are in an entry that has some.
    sparse: Option<Sparse>,
}

/// An error, if Go takes this for no header.
pub(crate) fn check_header(block: &[u8; BLOCK]) -> io::Result<()> {
    Header::parse(block).map(drop)
}

/// An error, if Go takes this for no records of the next entry.
pub(crate) fn check_records(content: &[u8]) -> io::Result<()> {
    Pax::parse(content)?.check()
}

impl<R: Read> GoTar<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, left: 0, padding: 0, sparse: None }
    }

    /// Goes on to the next entry; none when Go sees no more.
    pub(crate) fn next(&mut self) -> Result<Option<GoEntry>, ArchiveError> {
        self.advance().map_err(ArchiveError::reading)
    }

    fn advance(&mut self) -> io::Result<Option<GoEntry>> {
        let mut pax = Pax::default();
        let (mut long_name, mut long_link) = (Vec::new(), Vec::new());
        loop {
            if !self.leave()? {
                return Ok(None);
            }
            let Some(block) = self.header()? else { return Ok(None) };
            let mut header = Header::parse(&block)?;
            self.enter(&header)?;
            match header.kind {
                b'x' => pax = Pax::parse(&self.special()?)?,
                // Not an entry, but Go shows it as one.
                b'g' => {
                    Pax::parse(&self.special()?)?;
                    return Ok(Some(header.entry()));
                }
                b'L' => long_name = header::text(&self.special()?).to_vec(),
                b'K' => long_link = header::text(&self.special()?).to_vec(),
                _ => {
                    pax.apply(&mut header)?;
                    header.rename(long_name, long_link);
                    self.enter(&header)?;
                    self.sparse = Sparse::of(&pax, &mut header, &mut self.content())?;
                    return Ok(Some(header.entry()));
                }
            }
        }
    }

    /// Skips what is left of an entry; false when the archive ends in its last block's padding.
    fn leave(&mut self) -> io::Result<bool> {
        io::copy(&mut self.content(), &mut io::sink())?;
        let padding = io::copy(&mut self.reader.by_ref().take(self.padding), &mut io::sink())?;
        Ok(padding == self.padding)
    }

    /// The next header; none at the end: two blocks of zeros, one, or nothing more.
    fn header(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let Some(block) = self.block()? else { return Ok(None) };
        if block != [0; BLOCK] {
            return Ok(Some(block));
        }
        match self.block()? {
            Some(after) if after != [0; BLOCK] => Err(header::invalid()),
            _ => Ok(None),
        }
    }

    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut content = self.reader.by_ref().take(BLOCK as u64);
        let mut filled = 0;
        while filled < BLOCK {
            match content.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(block))
    }

    fn enter(&mut self, header: &Header) -> io::Result<()> {
        self.left = header.stored()?;
        self.padding = self.left.wrapping_neg() % BLOCK as u64;
        self.sparse = None;
        Ok(())
    }

    /// The content of an entry that describes the next one.
    fn special(&mut self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.content().take(LARGEST_SPECIAL + 1).read_to_end(&mut content)?;
        if content.len() as u64 > LARGEST_SPECIAL { Err(header::invalid()) } else { Ok(content) }
    }

    fn content(&mut self) -> Content<'_, R> {
        Content { reader: &mut self.reader, left: &mut self.left }
    }
}

impl<R: Read> Read for GoTar<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut stored = Content { reader: &mut self.reader, left: &mut self.left };
        match &mut self.sparse {
            None => stored.read(buffer),
            Some(sparse) => sparse.read(&mut stored, buffer),
        }
    }
}
