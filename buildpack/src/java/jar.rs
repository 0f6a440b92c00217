//! A jar: what it holds, and the same jar whenever it was made.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::division::MANIFEST;
use super::manifest::MOST_MANIFEST;
use super::positioned::Positioned;
use super::windowed::Windowed;

/// The most of what Maven notes of a module that is written anew, in bytes.
const MOST_PROPERTIES: u64 = 1 << 20;

/// The most that a jar may have, in bytes: several times what chaincode with all of its dependencies
/// has.
const MOST_BYTES: u64 = 512 << 20;

/// A jar.
pub(super) struct Jar(ZipArchive<Windowed>);

impl Jar {
    /// Reads what is in it.
    pub(super) fn open(path: &Path) -> Result<Self, ZipError> {
        let file = File::open(path)?;
        if file.metadata()?.len() > MOST_BYTES {
            return Err(io::Error::other(format!("it is larger than {MOST_BYTES} bytes")).into());
        }
        Ok(Self(ZipArchive::new(Windowed::new(file)?)?))
    }

    /// The manifest, or so much of it that it is seen to be too large; an empty one where there is
    /// none.
    pub(super) fn manifest(&mut self) -> Result<Vec<u8>, ZipError> {
        match self.0.index_for_name(MANIFEST) {
            Some(number) => self.content(number, MOST_MANIFEST + 1),
            None => Ok(Vec::new()),
        }
    }

    /// The names of its entries, by their numbers.
    pub(super) fn names(&self) -> Result<Vec<String>, ZipError> {
        self.0.file_names().map(|name| Ok(name?.into_owned())).collect()
    }

    /// Whether it holds a class of this name.
    pub(super) fn holds(&self, class: &str) -> bool {
        self.0.index_for_name(&format!("{}.class", class.replace('.', "/"))).is_some()
    }

    /// What an entry holds, `most` bytes of it.
    pub(super) fn content(&mut self, number: usize, most: u64) -> Result<Vec<u8>, ZipError> {
        let mut content = Vec::new();
        self.0.by_index(number)?.take(most).read_to_end(&mut content)?;
        Ok(content)
    }

    /// Writes a jar of these entries, with another manifest if one is given, and without the times at
    /// which they were made: sorted, but for the manifest, which streaming readers look for in front
    /// (`java.util.jar.JarInputStream`), with the oldest time that a jar knows, and the properties
    /// that Maven adds without a date. What was compressed stays as it was.
    pub(super) fn write(
        &mut self,
        entries: impl IntoIterator<Item = usize>,
        manifest: Option<&str>,
        to: &Path,
    ) -> Result<(), ZipError> {
        let names = self.names()?;
        let mut order: Vec<usize> = entries.into_iter().collect();
        order.sort_by_key(|number| (names[*number] != MANIFEST, &names[*number]));
        let mut writer = ZipWriter::new(Positioned::new(File::create_new(to)?));
        let oldest = DateTime::default();
        let plain = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(oldest);
        for number in order {
            let name = &names[number];
            let text = match manifest.filter(|_| name == MANIFEST) {
                Some(manifest) => Some(manifest.to_owned()),
                None if is_pom_properties(name) => {
                    let text = self.content(number, MOST_PROPERTIES + 1)?;
                    let is_whole = text.len() as u64 <= MOST_PROPERTIES;
                    is_whole.then(|| without_comments(&String::from_utf8_lossy(&text)))
                }
                None => None,
            };
            if let Some(text) = text {
                writer.start_file(name, plain)?;
                writer.write_all(text.as_bytes())?;
            } else {
                let entry = self.0.by_index_raw(number)?;
                let mode = entry.unix_mode();
                writer.raw_copy_file_touch(entry, oldest, mode)?;
            }
        }
        Ok(writer.finish()?.flush()?)
    }
}

/// Whether an entry is what Maven notes of a module, with the date under it.
fn is_pom_properties(name: &str) -> bool {
    name.starts_with("META-INF/maven/") && name.ends_with("/pom.properties")
}

fn without_comments(properties: &str) -> String {
    let lines: Vec<&str> = properties.lines().filter(|line| !line.starts_with('#')).collect();
    lines.join("\n")
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;

    use super::*;

    /// A jar with these entries, made in this year.
    pub(in super::super) fn jar(path: &Path, entries: &[(&str, &str)], year: u16) {
        let mut writer = ZipWriter::new(File::create(path).unwrap());
        let time = DateTime::from_date_and_time(year, 11, 26, 15, 30, 0).unwrap();
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(time);
        for (name, text) in entries {
            writer.start_file(*name, options).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
    }

    #[test]
    fn the_same_jar_whenever_it_was_made() {
        let directory = tempfile::tempdir().unwrap();
        let manifest = (MANIFEST, "Main-Class: a.B\n");
        let properties = "META-INF/maven/a/b/pom.properties";
        let made = |name: &str, entries: &[(&str, &str)], year| {
            let (plain, to) =
                (directory.path().join(name), directory.path().join(format!("{name}.new")));
            jar(&plain, entries, year);
            let mut plain = Jar::open(&plain).unwrap();
            assert!(plain.holds("a.B") && !plain.holds("a.C"));
            plain.write(0..entries.len(), None, &to).unwrap();
            assert_eq!(Jar::open(&to).unwrap().manifest().unwrap(), manifest.1.as_bytes());
            fs::read(to).unwrap()
        };
        let one = [("a/B.class", "b"), manifest, (properties, "#Thu Nov 26\nversion=1\n")];
        let other = [manifest, (properties, "#Fri Nov 27\nversion=1\n"), ("a/B.class", "b")];
        assert_eq!(made("one", &one, 2026), made("other", &other, 2027));
        let another = [manifest, (properties, "#Fri Nov 27\nversion=2\n"), ("a/B.class", "b")];
        assert_ne!(made("third", &one, 2026), made("another", &another, 2026));
    }

    #[test]
    fn what_is_too_large_is_not_cut() {
        let directory = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| directory.path().join(name));
        let large = format!("#Thu Nov 26\n{}", "a=b\n".repeat(1 << 19));
        jar(&from, &[("META-INF/maven/a/b/pom.properties", &large)], 2026);
        Jar::open(&from).unwrap().write([0], None, &to).unwrap();
        let written = Jar::open(&to).unwrap().content(0, u64::MAX).unwrap();
        assert!(written == large.as_bytes());
    }

    #[test]
    fn what_is_no_jar() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.jar");
        fs::write(&path, "text").unwrap();
        assert!(Jar::open(&path).is_err());
        jar(&path, &[("a/B.class", "")], 2026);
        assert!(Jar::open(&path).unwrap().manifest().unwrap().is_empty());
    }
}
