//! What Maven notes in the jars that it makes: which artifact one is, and of a jar with others in it,
//! which those are.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use super::component::{Component, Kind};
use super::error::MOST;
use super::jar;

/// Where the notes are, and what they are called.
const BELOW: &str = "META-INF/maven/";
const NOTE: &str = "/pom.properties";

/// The most of a note that is read, in bytes.
const MOST_NOTE: u64 = 64 << 10;

/// The most jars in a jar that are looked into.
const MOST_JARS: usize = 1000;

/// The artifacts of a jar, and of those in it: launchers of some frameworks have them so. Jars in jars
/// are unpacked in `scratch` for as long as `room` has bytes. What cannot be read as a jar tells
/// nothing.
pub(super) fn artifacts(jar: &mut File, scratch: &Path, room: &mut u64) -> Vec<Component> {
    let mut found = noted(jar).unwrap_or_default();
    let inner = jar::find(jar, MOST_JARS, jar::is_jar).unwrap_or_default();
    for entry in inner {
        if let Ok(mut inner) = put_down(jar, &entry, scratch, room) {
            found.extend(noted(&mut inner).unwrap_or_default());
        }
    }
    found
}

fn noted(jar: &mut File) -> io::Result<Vec<Component>> {
    let is_note = |name: &str| name.starts_with(BELOW) && name.ends_with(NOTE);
    let notes = jar::find(jar, MOST, is_note)?;
    let artifact = |entry: jar::Entry| {
        let mut note = Vec::new();
        jar::open(jar, &entry, MOST_NOTE).ok()?.read_to_end(&mut note).ok()?;
        artifact(&String::from_utf8_lossy(&note))
    };
    Ok(notes.into_iter().filter_map(artifact).collect())
}

fn put_down(
    jar: &mut File,
    entry: &jar::Entry,
    scratch: &Path,
    room: &mut u64,
) -> io::Result<File> {
    let mut file = tempfile::tempfile_in(scratch)?;
    *room -= io::copy(&mut jar::open(jar, entry, *room)?, &mut file)?;
    file.rewind()?;
    Ok(file)
}

/// What a note says: a key, `=` and a value in each line.
fn artifact(note: &str) -> Option<Component> {
    let value = |key: &str| {
        let mut lines = note.lines().filter_map(|line| line.split_once('='));
        lines.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
    };
    let (group, name, version) = (value("groupId")?, value("artifactId")?, value("version"));
    Component::package(Kind::Library, "maven", Some(group), name, version)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;

    fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (name, content) in entries {
            writer.start_file(*name, options).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    /// A jar with two artifacts in it, and one with another in that.
    pub(in super::super) fn jar() -> Vec<u8> {
        let other = b"version=2.0\ngroupId=org.example\nartifactId=inner\n";
        let inner = zip(&[("META-INF/maven/org.example/inner/pom.properties", other)]);
        zip(&[
            ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n"),
            (
                "META-INF/maven/example/asset/pom.properties",
                b"#Generated\nartifactId=asset\ngroupId=example\nversion=1.0-SNAPSHOT",
            ),
            (
                "META-INF/maven/org.hyperledger/shim/pom.properties",
                b"artifactId=shim\r\ngroupId=org.hyperledger\r\nversion=2.5.8\r\n",
            ),
            ("META-INF/maven/a/b/pom.properties", b"artifactId=without-group\n"),
            ("BOOT-INF/lib/inner-2.0.jar", &inner),
            ("BOOT-INF/lib/broken.jar", b"no jar"),
        ])
    }

    fn found(content: &[u8], mut room: u64) -> Vec<String> {
        let scratch = tempfile::tempdir().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let found = artifacts(&mut file, scratch.path(), &mut room);
        let mut found: Vec<_> = found.iter().map(|found| found.reference().to_owned()).collect();
        found.sort();
        found
    }

    #[test]
    fn what_maven_has_noted() {
        let own = ["pkg:maven/example/asset@1.0-SNAPSHOT", "pkg:maven/org.hyperledger/shim@2.5.8"];
        let all = [own[0], "pkg:maven/org.example/inner@2.0", own[1]];
        assert_eq!(found(&jar(), 1 << 20), all);
        assert_eq!(found(&jar(), 10), own, "there is no room for the inner ones");
        assert!(found(b"no jar", 1 << 20).is_empty());
    }
}
