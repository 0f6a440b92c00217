//! What a peer reads of a package, held against Go itself: cases of all kinds, most of them broken,
//! are read by Go's `archive/tar`, `compress/gzip` and `encoding/json` and by what stands for them
//! here.

mod cases;
mod oracle;

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::path::Path;

use crafted::{Crafted, tar};
use flate2::CrcWriter;
use proptest::prelude::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use selvedge_package::RawMetadata;

use crate::archive::{
    ArchiveError, Entry, EntryPath, GoKind, GoTar, Kind, Limits, Link, Visit, gunzip, scan,
};
use crate::package::{Inspection, Interrupt};
use oracle::Oracle;

/// How many cases a run tries; more with `PROPTEST_CASES`.
const CASES: u32 = 2_000;

/// How much is read of an entry.
const MOST: u64 = 1 << 20;

/// Tries cases until one gives two different things, of which a small one is shown.
fn try_all<T: PartialEq + std::fmt::Debug>(
    cases: &impl Strategy<Value = Vec<u8>>,
    both: impl Fn(&[u8]) -> (T, T),
) {
    let number = std::env::var("PROPTEST_CASES").ok().and_then(|number| number.parse().ok());
    let config = Config {
        cases: number.unwrap_or(CASES),
        // The same ones each time: who looks for more asks for more.
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        ..Config::default()
    };
    let tried = TestRunner::new(config).run(cases, |case| {
        let (ours, theirs) = both(&case);
        if ours == theirs {
            Ok(())
        } else {
            let text = String::from_utf8_lossy(&case).into_owned();
            Err(TestCaseError::fail(format!("we read {ours:?}, Go reads {theirs:?}: {text:?}")))
        }
    });
    tried.unwrap();
}

/// How many bytes there are, up to [`MOST`], and their sum.
fn sum(content: &mut impl Read) -> io::Result<(u64, u32)> {
    let mut sum = CrcWriter::new(io::sink());
    let length = io::copy(&mut content.take(MOST), &mut sum)?;
    Ok((length, sum.crc().sum()))
}

fn read_tar(bytes: &[u8]) -> String {
    let (mut told, mut archive) = (Vec::new(), GoTar::new(bytes));
    let end = loop {
        let entry = match archive.next() {
            Ok(None) => break "end",
            Ok(Some(entry)) => entry,
            Err(_) => break "error",
        };
        let Ok((length, crc)) = sum(&mut archive) else { break "error" };
        let (kind, link) = match &entry.kind {
            GoKind::File => (b'0', &[][..]),
            GoKind::Directory => (b'5', &[][..]),
            GoKind::Symlink(target) => (b'2', &target[..]),
            GoKind::HardLink(target) => (b'1', &target[..]),
            GoKind::Other(b'g') => {
                told.push(format!("{} g", hex::encode(&entry.name)));
                continue;
            }
            // A peer refuses it for what it is, so that it does not matter what Go makes of the rest.
            GoKind::Other(b'S') => break "refused",
            GoKind::Other(other) => (*other, &[][..]),
        };
        let [name, link] = [&entry.name[..], link].map(hex::encode);
        let (size, executable) = (entry.size, entry.executable);
        told.push(format!("{name} {kind} {link} {size} {executable} {length} {crc}"));
    };
    told.push(end.to_owned());
    told.join("; ")
}

#[test]
fn archives_are_read_as_go_reads_them() {
    let oracle = RefCell::new(Oracle::start());
    try_all(&cases::archive(), |case| {
        let (ours, theirs) = (read_tar(case), oracle.borrow_mut().ask(b't', case));
        let is_same = ours.strip_suffix("refused").is_some_and(|read| theirs.starts_with(read));
        if is_same { (ours.clone(), ours) } else { (ours, theirs) }
    });
}

/// Whether a gzip file has a flag that has no meaning: RFC 1952 wants it refused, and Go does not
/// look at it (section 2.3.1.2).
fn has_reserved_flag(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|head| head.starts_with(&[0x1f, 0x8b, 8]) && head[3] & 0xe0 != 0)
}

#[test]
fn gzip_files_are_read_as_go_reads_them() {
    let oracle = RefCell::new(Oracle::start());
    try_all(&cases::compressed(), |case| {
        let read = gunzip(case).ok().and_then(|mut content| sum(&mut content).ok());
        let theirs = oracle.borrow_mut().ask(b'z', case);
        match read {
            None if has_reserved_flag(case) => (theirs.clone(), theirs),
            None => ("error".into(), theirs),
            Some((_, crc)) => (crc.to_string(), theirs),
        }
    });
}

#[test]
fn metadata_is_read_as_go_reads_it() {
    let oracle = RefCell::new(Oracle::start());
    try_all(&cases::metadata(), |case| {
        let ours = RawMetadata::read(case).map_or("error".into(), |read| {
            [read.kind, read.path, read.label].map(hex::encode).join(" ")
        });
        (ours, oracle.borrow_mut().ask(b'j', case))
    });
}

/// What was shown of an archive.
#[derive(Debug, Default, PartialEq)]
struct Shown(Vec<(String, GoKind, u32)>);

impl Visit for Shown {
    type Error = ArchiveError;

    fn entry(&mut self, mut entry: Entry<'_>) -> Result<(), ArchiveError> {
        let mut crc = CrcWriter::new(io::sink());
        entry.copy_to(&mut crc, Path::new("the sum"))?;
        let kind = if entry.kind == Kind::File { GoKind::File } else { GoKind::Directory };
        self.0.push((entry.path.to_string(), kind, crc.crc().sum()));
        Ok(())
    }

    fn link(&mut self, link: Link) -> Result<(), ArchiveError> {
        let target = link.target.as_str().as_bytes().to_vec();
        self.0.push((link.path.to_string(), GoKind::Symlink(target), 0));
        Ok(())
    }
}

impl Shown {
    /// What the strict reader shows, unless it refuses something.
    fn strictly(bytes: &[u8]) -> Option<Self> {
        let mut shown = Self::default();
        scan(bytes, Limits::SOURCE, &mut shown).ok()?;
        Some(shown)
    }

    /// The same as Go has it.
    fn as_go(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let (mut shown, mut archive) = (Self::default(), GoTar::new(bytes));
        while let Some(entry) = archive.next()? {
            let name = EntryPath::parse(&entry.name).map(|path| path.to_string());
            let (_, crc) = sum(&mut archive).map_err(ArchiveError::reading)?;
            shown.0.push((name.unwrap_or_else(|fault| fault.to_string()), entry.kind, crc));
        }
        Ok(shown)
    }
}

#[test]
fn what_is_taken_strictly_is_what_go_reads() {
    let taken = Cell::new(0);
    try_all(&cases::archive(), |bytes| {
        let ours = Shown::strictly(bytes).map(Ok);
        let theirs = ours.as_ref().map(|_| Shown::as_go(bytes).map_err(|error| error.to_string()));
        taken.set(taken.get() + usize::from(ours.is_some()));
        (ours, theirs)
    });
    assert!(taken.get() > 50, "only {} archives were taken", taken.get());
}

#[test]
fn a_number_that_is_none_is_refused_wherever_it_is() {
    let owner = Crafted::file("a", "").changed(|header| header.as_mut_bytes()[108] = b'8');
    let time = [Crafted::pax(&[("mtime", "noon")]), Crafted::file("a", "")];
    assert!(Shown::strictly(&tar([Crafted::file("a", "")])).is_some());
    assert!(Shown::strictly(&tar([owner])).is_none());
    assert!(Shown::strictly(&tar(time)).is_none());
}

#[test]
fn of_whatever_comes_as_a_package_there_is_a_report() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("package.tar.gz");
    let taken = Cell::new(0);
    try_all(&cases::package(), |bytes| {
        std::fs::write(&file, bytes).unwrap();
        let report =
            Inspection::of(&file, &Interrupt::default()).map(|inspection| inspection.report);
        taken
            .set(taken.get() + usize::from(report.as_ref().is_ok_and(|it| it.refusals.is_empty())));
        (report.map(drop).map_err(|error| error.to_string()), Ok(()))
    });
    assert!(taken.get() > 50, "only {} packages were taken", taken.get());
}
