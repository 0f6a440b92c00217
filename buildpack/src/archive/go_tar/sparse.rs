//! Files with holes in a tar archive of the PAX dialect (`readGNUSparsePAXHeaders` in
//! `src/archive/tar/reader.go`), which a peer takes for files.

use std::io::{self, Read};

use super::content::Content;
use super::header::{BLOCK, Header, invalid};
use super::pax::{Pax, decimal};

/// The most that Go reads of a map, in bytes (`maxSpecialFileSize`).
const LARGEST_MAP: usize = 1 << 20;

/// Where the data of a file is, and how much of the file was read.
#[derive(Debug)]
pub(super) struct Sparse {
    /// Offset and length of the parts with data, in order.
    data: Vec<(u64, u64)>,
    size: u64,
    position: u64,
}

impl Sparse {
    /// The map of the entry, if its records say that it has one; its header then gets the file's
    /// own name and size.
    pub(super) fn of(
        pax: &Pax,
        header: &mut Header,
        content: &mut impl Read,
    ) -> io::Result<Option<Self>> {
        let version = (pax.text("GNU.sparse.major"), pax.text("GNU.sparse.minor"));
        let in_records = match version {
            (b"0", b"0" | b"1") => true,
            (b"1", b"0") => false,
            (b"", b"") if !pax.text("GNU.sparse.map").is_empty() => true,
            _ => return Ok(None),
        };
        if let name @ [_, ..] = pax.text("GNU.sparse.name") {
            header.name = name.to_vec();
        }
        let size = match pax.number("GNU.sparse.size")? {
            None => pax.number("GNU.sparse.realsize")?,
            size => size,
        };
        header.size = size.unwrap_or(header.size);
        let numbers = if in_records { in_map(pax)? } else { before_data(content)? };
        let is_regular = !matches!(header.kind, b'1'..=b'6');
        let map = u64::try_from(header.size).ok().and_then(|size| Self::new(&numbers, size));
        map.filter(|_| is_regular).map(Some).ok_or_else(invalid)
    }

    fn new(numbers: &[i64], size: u64) -> Option<Self> {
        let mut data = Vec::new();
        let mut end = 0;
        for part in numbers.chunks(2) {
            let [offset, length] = part else { return None };
            let (offset, length) = (u64::try_from(*offset).ok()?, u64::try_from(*length).ok()?);
            if offset < end || offset + length > size {
                return None;
            }
            end = offset + length;
            data.push((offset, length));
        }
        Some(Self { data, size, position: 0 })
    }

    /// Reads on in the file, whose data is `stored` without the holes.
    pub(super) fn read<R: Read>(
        &mut self,
        stored: &mut Content<'_, R>,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let position = self.position;
        // A map of a megabyte has hundreds of thousands of parts, each of which is read by itself.
        let next = self.data.partition_point(|(offset, length)| offset + length <= position);
        let (is_data, end) = match self.data.get(next) {
            Some((offset, length)) if position >= *offset => (true, offset + length),
            Some((offset, _)) => (false, *offset),
            None => (false, self.size),
        };
        let most = usize::try_from(end - position).unwrap_or(usize::MAX).min(buffer.len());
        let read = if is_data && most > 0 {
            match stored.read(&mut buffer[..most])? {
                0 => return Err(invalid()),
                read => read,
            }
        } else {
            buffer[..most].fill(0);
            most
        };
        self.position += read as u64;
        let is_all = self.position == self.size;
        // More data than the map knows of.
        if is_all && *stored.left > 0 { Err(invalid()) } else { Ok(read) }
    }
}

/// The numbers of a map in the records.
fn in_map(pax: &Pax) -> io::Result<Vec<i64>> {
    let parts = pax.number("GNU.sparse.numblocks")?.ok_or_else(invalid)?;
    let numbers: Option<Vec<i64>> = match pax.text("GNU.sparse.map") {
        b"" => Some(Vec::new()),
        map => map.split(|byte| *byte == b',').map(decimal).collect(),
    };
    let expected = usize::try_from(parts).ok().and_then(|parts| parts.checked_mul(2));
    numbers.filter(|numbers| Some(numbers.len()) == expected).ok_or_else(invalid)
}

/// The numbers of a map that stands before the data, in lines, and fills whole blocks.
fn before_data(content: &mut impl Read) -> io::Result<Vec<i64>> {
    let mut lines = Lines { content, blocks: Vec::new(), read: 0 };
    let parts = lines.number()?;
    let count = usize::try_from(parts).ok().and_then(|parts| parts.checked_mul(2));
    (0..count.ok_or_else(invalid)?).map(|_| lines.number()).collect()
}

struct Lines<'a, R> {
    content: &'a mut R,
    blocks: Vec<u8>,
    read: usize,
}

impl<R: Read> Lines<'_, R> {
    fn number(&mut self) -> io::Result<i64> {
        let end = loop {
            match self.blocks[self.read..].iter().position(|byte| *byte == b'\n') {
                Some(end) => break self.read + end,
                None if self.blocks.len() + BLOCK > LARGEST_MAP => return Err(invalid()),
                None => {
                    let mut block = [0; BLOCK];
                    self.content.read_exact(&mut block)?;
                    self.blocks.extend(block);
                }
            }
        };
        let number = decimal(&self.blocks[self.read..end]).ok_or_else(invalid);
        self.read = end + 1;
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were each looked for from the first one on, this would take minutes.
    #[test]
    fn as_many_parts_as_a_map_can_have_are_read() {
        const PARTS: u32 = 110_000;
        let numbers: Vec<i64> = (0..PARTS).flat_map(|part| [i64::from(part) * 2, 1]).collect();
        let mut sparse = Sparse::new(&numbers, u64::from(PARTS) * 2).unwrap();
        let data = vec![7; PARTS as usize];
        let (mut reader, mut left) = (&data[..], u64::from(PARTS));
        let mut stored = Content { reader: &mut reader, left: &mut left };
        let (mut buffer, mut whole) = ([0; 8192], Vec::new());
        loop {
            match sparse.read(&mut stored, &mut buffer).unwrap() {
                0 => break,
                read => whole.extend_from_slice(&buffer[..read]),
            }
        }
        assert_eq!(whole, [7, 0].repeat(PARTS as usize));
    }
}
