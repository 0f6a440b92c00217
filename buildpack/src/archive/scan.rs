//! One pass over a tar archive that refuses whatever two readers could understand differently.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;

use tar::EntryType;

use super::extensions::{Extended, Extensions};
use super::printable::printable;
use super::{ArchiveError, EntryFault, EntryPath, LinkTarget, check_header};

/// How much one archive may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most bytes of content, all entries together.
    pub bytes: u64,
    /// The most entries, extension headers included.
    pub entries: usize,
}

impl Limits {
    /// Chaincode source. Kubernetes' whole client vendored is 60 MiB in 6,000 files; a peer's
    /// install message of 100 MiB compresses little more than this.
    pub const SOURCE: Self = Self { bytes: 512 << 20, entries: 50_000 };

    /// One layer of an image: a static binary or a language's run time.
    pub const LAYER: Self = Self { bytes: 2 << 30, entries: 100_000 };
}

/// What an entry is. Hard links and special files never get this far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
}

/// One acceptable entry.
pub struct Entry<'a> {
    /// Where it belongs.
    pub path: EntryPath,
    /// File or directory.
    pub kind: Kind,
    /// Bytes of content.
    pub size: u64,
    /// Permission bits as recorded.
    pub mode: u32,
    /// When and by whom.
    pub stamp: Stamp,
    data: &'a mut dyn Read,
}

/// A symbolic link to a place in the same tree. Nothing lies below it.
pub struct Link {
    /// Where it belongs.
    pub path: EntryPath,
    /// Where it leads.
    pub target: LinkTarget,
    /// When and by whom.
    pub stamp: Stamp,
}

/// What an entry has of the machine that it was made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Modification time as recorded, in seconds since 1970.
    pub mtime: u64,
    /// Owner and group as recorded.
    pub owner: (u64, u64),
}

impl Entry<'_> {
    /// Copies the content; `to` names the target in an error.
    pub fn copy_to(&mut self, writer: &mut dyn Write, to: &Path) -> Result<(), ArchiveError> {
        let mut buffer = vec![0; 64 * 1024];
        let mut copied = 0;
        loop {
            let read = match self.data.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ArchiveError::reading(error)),
            };
            writer.write_all(&buffer[..read]).map_err(ArchiveError::writing(to))?;
            copied += read as u64;
        }
        if copied == self.size { Ok(()) } else { Err(ArchiveError::Truncated) }
    }
}

/// What is done with each entry of an archive.
pub trait Visit {
    /// What ends the scan early.
    type Error: From<ArchiveError>;

    /// An acceptable entry, in the archive's order.
    fn entry(&mut self, entry: Entry<'_>) -> Result<(), Self::Error>;

    /// A link. It is not acceptable unless this is overridden.
    fn link(&mut self, link: Link) -> Result<(), Self::Error> {
        let fault = EntryFault::Symlink(link.target.as_str().to_owned());
        self.fault(link.path.to_string(), fault)
    }

    /// An entry that is not acceptable. The scan ends here unless this is overridden.
    fn fault(&mut self, path: String, fault: EntryFault) -> Result<(), Self::Error> {
        Err(ArchiveError::Entry { path, fault }.into())
    }
}

/// Reads `reader` to its end and shows every entry to `visitor`.
pub fn scan<R: Read, V: Visit>(reader: R, limits: Limits, visitor: &mut V) -> Result<(), V::Error> {
    let ended = Cell::new(false);
    let mut reader = EndNoting { inner: reader, ended: &ended };
    // The crate has no kind of its own for an archive that was cut.
    let failed = |error| {
        if ended.get() { ArchiveError::Truncated } else { ArchiveError::reading(error) }
    };
    let mut archive = tar::Archive::new(&mut reader);
    let (mut scanner, mut extensions) = (Scanner::new(limits), Extensions::default());
    // Raw: the crate would otherwise read a long name of any length into memory.
    let entries = archive.entries().map_err(failed)?.raw(true);
    for entry in entries {
        let mut entry = entry.map_err(failed)?;
        // Some of its numbers are of no matter here, and the crate does not look at them.
        check_header(entry.header().as_bytes()).map_err(ArchiveError::reading)?;
        scanner.count(&entry)?;
        if extensions.read(&mut entry)? {
            continue;
        }
        match scanner.accept(&entry, extensions.take(&entry)) {
            Ok(Accepted::Entry(path, kind)) => visitor.entry(open(path, kind, &mut entry))?,
            Ok(Accepted::Link(path, target)) => {
                visitor.link(Link { path, target, stamp: Stamp::of(entry.header()) })?;
            }
            Err((name, fault)) => visitor.fault(name, fault)?,
        }
    }
    expect_end(&mut reader)?;
    Ok(())
}

/// Notes when there is nothing more to read.
struct EndNoting<'a, R> {
    inner: R,
    ended: &'a Cell<bool>,
}

impl<R: Read> Read for EndNoting<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.ended.set(read == 0 && !buffer.is_empty());
        Ok(read)
    }
}

fn open<'a, R: Read>(path: EntryPath, kind: Kind, entry: &'a mut tar::Entry<'_, R>) -> Entry<'a> {
    let header = entry.header();
    Entry {
        path,
        kind,
        size: entry.size(),
        mode: header.mode().unwrap_or_default(),
        stamp: Stamp::of(header),
        data: entry,
    }
}

impl Stamp {
    /// A blank number is 0, as in Go's reader.
    fn of(header: &tar::Header) -> Self {
        Self {
            mtime: header.mtime().unwrap_or_default(),
            owner: (header.uid().unwrap_or_default(), header.gid().unwrap_or_default()),
        }
    }
}

/// The archive must end in zeros alone, a block of them at least beyond the one already read:
/// otherwise it was cut, or hides something from readers that stop earlier than others.
fn expect_end(reader: &mut dyn Read) -> Result<(), ArchiveError> {
    const LONGEST_PADDING: u64 = 1 << 20;
    let mut padding = 0;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(ArchiveError::reading(error)),
        };
        padding += read as u64;
        if padding > LONGEST_PADDING || buffer[..read].iter().any(|byte| *byte != 0) {
            return Err(ArchiveError::TrailingData);
        }
    }
    if padding < 512 {
        return Err(ArchiveError::Truncated);
    }
    Ok(())
}

/// What an acceptable entry is, before its content is read.
enum Accepted {
    Entry(EntryPath, Kind),
    Link(EntryPath, LinkTarget),
}

/// What was seen so far.
struct Scanner {
    limits: Limits,
    bytes: u64,
    entries: usize,
    seen: BTreeMap<String, Seen>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Or a link: nothing lies below either.
    File,
    Directory,
    /// A directory that was not listed, but that an entry lies in.
    Implied,
}

impl Scanner {
    fn new(limits: Limits) -> Self {
        Self { limits, bytes: 0, entries: 0, seen: BTreeMap::new() }
    }

    /// Checks an entry against the limits by its header, before any of its content is read.
    fn count<R: Read>(&mut self, entry: &tar::Entry<'_, R>) -> Result<(), ArchiveError> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(entry.size());
        let Limits { bytes, entries } = self.limits;
        if self.bytes > bytes {
            return Err(ArchiveError::TooLarge { limit: bytes });
        }
        if self.entries > entries {
            return Err(ArchiveError::TooManyEntries { limit: entries });
        }
        Ok(())
    }

    /// Decides on one entry; the refused come with their printable name.
    fn accept<R: Read>(
        &mut self,
        entry: &tar::Entry<'_, R>,
        Extended { name, target, fault }: Extended,
    ) -> Result<Accepted, (String, EntryFault)> {
        let decided = fault.map_or_else(|| self.decide(&name, target, entry), Err);
        decided.map_err(|fault| (printable(&name), fault))
    }

    fn decide<R: Read>(
        &mut self,
        name: &[u8],
        target: Vec<u8>,
        entry: &tar::Entry<'_, R>,
    ) -> Result<Accepted, EntryFault> {
        let header = entry.header();
        let link = match header.entry_type() {
            EntryType::Symlink => Some(target),
            EntryType::Link => return Err(EntryFault::HardLink(printable(&target))),
            _ => None,
        };
        let kind = if link.is_some() { Kind::File } else { kind(header)? };
        let path = EntryPath::parse(name)?;
        if kind == Kind::File && name.ends_with(b"/") {
            return Err(EntryFault::FileLikeDirectory);
        }
        if (kind == Kind::Directory || link.is_some()) && entry.size() != 0 {
            return Err(EntryFault::AmbiguousSize);
        }
        self.place(&path, kind)?;
        Ok(match link {
            Some(target) => {
                let target = LinkTarget::parse(&path, &target)?;
                Accepted::Link(path, target)
            }
            None => Accepted::Entry(path, kind),
        })
    }

    /// Every path has one meaning: no file twice, no file that is a directory as well.
    fn place(&mut self, path: &EntryPath, kind: Kind) -> Result<(), EntryFault> {
        let before = self.seen.get(path.as_str()).copied();
        let now = match (before, kind) {
            (None, Kind::File) => Seen::File,
            (None | Some(Seen::Implied), Kind::Directory) => Seen::Directory,
            (Some(Seen::File), Kind::File) | (Some(Seen::Directory), Kind::Directory) => {
                return Err(EntryFault::Duplicate);
            }
            (Some(_), _) => return Err(EntryFault::FileAndDirectory),
        };
        for ancestor in path.ancestors() {
            match self.seen.get(ancestor) {
                Some(Seen::File) => return Err(EntryFault::FileAndDirectory),
                // Its own ancestors were placed with it.
                Some(_) => break,
                None => {
                    self.seen.insert(ancestor.to_owned(), Seen::Implied);
                }
            }
        }
        self.seen.insert(path.as_str().to_owned(), now);
        Ok(())
    }
}

fn kind(header: &tar::Header) -> Result<Kind, EntryFault> {
    match header.entry_type() {
        EntryType::Regular => Ok(Kind::File),
        EntryType::Directory => Ok(Kind::Directory),
        other => Err(EntryFault::special(other.as_byte())),
    }
}
