//! What an entry has in the archive.

use std::io::{self, Read};

/// An entry's content as it is stored.
pub(super) struct Content<'a, R> {
    pub(super) reader: &'a mut R,
    /// Bytes of it that are still to come.
    pub(super) left: &'a mut u64,
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(*self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        match self.reader.read(&mut buffer[..most])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                *self.left -= read as u64;
                Ok(read)
            }
        }
    }
}
