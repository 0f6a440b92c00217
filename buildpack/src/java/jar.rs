//! A jar: what starts it, what it holds, and the same jar whenever it was made.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// What says how it is started. It comes first, where streaming readers look for it
/// (`java.util.jar.JarInputStream`).
const MANIFEST: &str = "META-INF/MANIFEST.MF";

/// The most of a manifest that is read, in bytes.
const MOST_MANIFEST: u64 = 1 << 20;

/// The most that a jar may have, in bytes: several times what chaincode with all of its dependencies
/// has.
const MOST_BYTES: u64 = 512 << 20;

/// A jar.
pub(super) struct Jar(ZipArchive<BufReader<File>>);

impl Jar {
    /// Reads what is in it.
    pub(super) fn open(path: &Path) -> Result<Self, ZipError> {
        let file = File::open(path)?;
        if file.metadata()?.len() > MOST_BYTES {
            return Err(io::Error::other(format!("it is larger than {MOST_BYTES} bytes")).into());
        }
        Ok(Self(ZipArchive::new(BufReader::new(file))?))
    }

    /// The class that it is started by, if its manifest names one.
    pub(super) fn main_class(&mut self) -> Result<Option<String>, ZipError> {
        let manifest = match self.0.by_name(MANIFEST) {
            Err(ZipError::FileNotFound) => return Ok(None),
            found => found?,
        };
        let mut text = Vec::new();
        manifest.take(MOST_MANIFEST).read_to_end(&mut text)?;
        Ok(main_class(&String::from_utf8_lossy(&text)))
    }

    /// Whether it holds a class of this name.
    pub(super) fn holds(&self, class: &str) -> bool {
        self.0.index_for_name(&format!("{}.class", class.replace('.', "/"))).is_some()
    }

    /// Writes it anew, without the times at which it was made: its entries sorted, with the oldest
    /// time that a jar knows, and the properties that Maven adds without a date. What was compressed
    /// stays as it was.
    pub(super) fn rewrite(&mut self, to: &Path) -> Result<(), ZipError> {
        let mut order: Vec<(bool, String, usize)> = Vec::with_capacity(self.0.len());
        for index in 0..self.0.len() {
            let name = self.0.by_index_raw(index)?.name()?.into_owned();
            order.push((name != MANIFEST, name, index));
        }
        order.sort();
        let mut writer = ZipWriter::new(BufWriter::new(File::create_new(to)?));
        let oldest = DateTime::default();
        for (_, name, index) in order {
            if is_pom_properties(&name) {
                let mut text = Vec::new();
                self.0.by_index(index)?.take(MOST_MANIFEST).read_to_end(&mut text)?;
                let plain = SimpleFileOptions::default()
                    .compression_method(CompressionMethod::Stored)
                    .last_modified_time(oldest);
                writer.start_file(name, plain)?;
                writer.write_all(without_comments(&String::from_utf8_lossy(&text)).as_bytes())?;
            } else {
                let entry = self.0.by_index_raw(index)?;
                let mode = entry.unix_mode();
                writer.raw_copy_file_touch(entry, oldest, mode)?;
            }
        }
        Ok(writer.finish()?.flush()?)
    }
}

/// What a manifest says in its main section, whose lines may go on in the next (`JAR File
/// Specification`, "Notes on Manifest and Signature Files").
fn main_class(manifest: &str) -> Option<String> {
    let whole = manifest.replace("\r\n", "\n").replace("\n ", "");
    let main = whole.lines().take_while(|line| !line.is_empty());
    let classes = main.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("Main-Class").then(|| value.trim().to_owned())
    });
    classes.last().filter(|class| !class.is_empty())
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
mod tests {
    use std::fs;

    use super::*;

    /// A jar with these entries, made in this year.
    fn jar(path: &Path, entries: &[(&str, &str)], year: u16) {
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
    fn what_a_manifest_names() {
        for (manifest, class) in [
            ("Manifest-Version: 1.0\nMain-Class: a.B\n", Some("a.B")),
            (
                "Manifest-Version: 1.0\r\nmain-class: org.hyper\r\n ledger.B\r\n\r\n",
                Some("org.hyperledger.B"),
            ),
            ("Manifest-Version: 1.0\n\nName: a\nMain-Class: a.B\n", None),
            ("Main-Class: \n", None),
            ("", None),
        ] {
            assert_eq!(main_class(manifest).as_deref(), class, "{manifest:?}");
        }
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
            plain.rewrite(&to).unwrap();
            assert_eq!(Jar::open(&to).unwrap().main_class().unwrap().as_deref(), Some("a.B"));
            fs::read(to).unwrap()
        };
        let one = [("a/B.class", "b"), manifest, (properties, "#Thu Nov 26\nversion=1\n")];
        let other = [manifest, (properties, "#Fri Nov 27\nversion=1\n"), ("a/B.class", "b")];
        assert_eq!(made("one", &one, 2026), made("other", &other, 2027));
        let another = [manifest, (properties, "#Fri Nov 27\nversion=2\n"), ("a/B.class", "b")];
        assert_ne!(made("third", &one, 2026), made("another", &another, 2026));
    }

    #[test]
    fn what_is_no_jar() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.jar");
        fs::write(&path, "text").unwrap();
        assert!(Jar::open(&path).is_err());
        jar(&path, &[("a/B.class", "")], 2026);
        assert_eq!(Jar::open(&path).unwrap().main_class().unwrap(), None);
    }
}
