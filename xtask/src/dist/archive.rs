//! What is handed to who installs Selvedge: one archive, the same bytes for the same programs.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};
use tempfile::NamedTempFile;
use testbed::dist::workspace_dir;

/// What puts the programs where they belong.
const INSTALLER: &str = include_str!("install.sh");

/// "Unknown" in RFC 1952, section 2.3.1: the default names the machine that compressed.
const UNKNOWN_OS: u8 = 255;

/// One file of the archive.
struct Entry {
    name: String,
    content: Vec<u8>,
    mode: u32,
}

/// Writes the archive `NAME.tar.gz` of the programs in `dist/bin` with these names, into `dist`, and
/// its checksum beside it. All of it lies in one directory, `NAME`.
pub(super) fn write(dist: &Path, name: &str, programs: &[&str], sbom: String) -> Result<PathBuf> {
    let path = dist.join(format!("{name}.tar.gz"));
    let failed = || format!("cannot write {}", path.display());
    let mut whole = NamedTempFile::new_in(dist).with_context(failed)?;
    let zip = GzBuilder::new().mtime(0).operating_system(UNKNOWN_OS);
    let mut archive = Builder::new(zip.write(&mut whole, Compression::new(9)));
    for entry in entries(dist, programs, sbom)? {
        append(&mut archive, name, &entry).with_context(failed)?;
    }
    archive.into_inner().and_then(|zip| zip.finish().map(drop)).with_context(failed)?;
    whole.as_file().sync_all().with_context(failed)?;
    let file = whole.persist(&path).with_context(failed)?;
    // A temporary file is its owner's alone; an archive is for all.
    readable(&file).with_context(failed)?;
    let sum = checksum(&fs::read(&path).with_context(failed)?, &format!("{name}.tar.gz"));
    fs::write(path.with_extension("gz.sha256"), sum).with_context(failed)?;
    Ok(path)
}

/// The files, in the order of their names.
fn entries(dist: &Path, programs: &[&str], sbom: String) -> Result<Vec<Entry>> {
    let read = |path: PathBuf| fs::read(&path).with_context(|| format!("no {}", path.display()));
    let file = |name: &str, content: Vec<u8>| Entry { name: name.to_owned(), content, mode: 0o644 };
    let program = |name: &str, content: Vec<u8>| Entry { mode: 0o755, ..file(name, content) };
    let mut entries = vec![
        file("LICENSE", read(workspace_dir().join("LICENSE"))?),
        program("install.sh", INSTALLER.into()),
        file("sbom.cdx.json", sbom.into_bytes()),
    ];
    for name in programs {
        let content = read(dist.join("bin").join(name))?;
        entries.push(program(&format!("bin/{name}"), content));
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    let sums =
        entries.iter().map(|entry| checksum(&entry.content, &entry.name)).collect::<String>();
    entries.push(file("SHA256SUMS", sums.into_bytes()));
    Ok(entries)
}

/// A line as `sha256sum` writes and reads it.
fn checksum(content: &[u8], name: &str) -> String {
    format!("{}  {name}\n", hex::encode(Sha256::digest(content)))
}

fn append<W: Write>(archive: &mut Builder<W>, above: &str, entry: &Entry) -> std::io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_size(entry.content.len() as u64);
    header.set_mode(entry.mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    archive.append_data(&mut header, format!("{above}/{}", entry.name), &entry.content[..])
}

fn readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::cargo::output;

    const BUILDERS: [&str; 4] = ["detect", "build", "release", "run"];
    const OTHERS: [&str; 3] = ["selvedge-launcher", "selvedge-keeper", "selvedge"];

    /// An archive of programs that are none, and where it is unpacked.
    fn unpacked(place: &Path) -> PathBuf {
        let dist = place.join("dist");
        fs::create_dir_all(dist.join("bin")).unwrap();
        let programs = [&BUILDERS[..], &OTHERS].concat();
        for name in &programs {
            fs::write(dist.join("bin").join(name), format!("the program {name}")).unwrap();
        }
        let archive = write(&dist, "selvedge-1.2.3-linux-x86_64", &programs, "{}".into()).unwrap();
        output(
            Command::new("sha256sum")
                .args(["--check"])
                .current_dir(&dist)
                .arg(archive.with_extension("gz.sha256").file_name().unwrap()),
        )
        .unwrap();
        output(Command::new("tar").arg("-xzf").arg(&archive).current_dir(place)).unwrap();
        place.join("selvedge-1.2.3-linux-x86_64")
    }

    /// Has the installer put all of it below `to`.
    fn install(from: &Path, to: &Path, more: &[&str]) -> Result<String> {
        let mut installer = Command::new(from.join("install.sh"));
        installer.arg("--builders").arg(to.join("opt")).arg("--programs").arg(to.join("bin"));
        output(installer.args(more))
    }

    #[test]
    fn it_installs_what_was_packed_and_takes_it_away_again() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (unpacked(place.path()), place.path().join("to"));
        for _ in 0..2 {
            let said = install(&from, &to, &[]).unwrap();
            assert!(said.contains(&format!("path: {}", to.join("opt").display())), "{said}");
        }
        let there = |directory: &str| {
            let entries = fs::read_dir(to.join(directory)).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(there("opt/bin"), BUILDERS.map(str::to_owned).into());
        assert_eq!(there("bin"), OTHERS.map(str::to_owned).into());
        assert_eq!(fs::read_to_string(to.join("opt/bin/run")).unwrap(), "the program run");
        install(&from, &to, &["--uninstall"]).unwrap();
        assert!(!to.join("opt").exists() && there("bin").is_empty());
    }

    #[test]
    fn it_installs_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (unpacked(place.path()), place.path().join("to"));
        fs::write(from.join("bin/run"), "another program").unwrap();
        let said = install(&from, &to, &[]).unwrap_err().to_string();
        assert!(said.contains("bin/run: FAILED") && said.contains("fetch it again"), "{said}");
        assert!(!to.exists());
        let said = install(&from, &to, &["--force"]).unwrap_err().to_string();
        assert!(said.contains("Usage:") && said.contains("unknown word: --force"), "{said}");
    }

    #[test]
    fn the_same_programs_make_the_same_archive() {
        let archive = |place: &Path| {
            unpacked(place);
            fs::read(place.join("dist/selvedge-1.2.3-linux-x86_64.tar.gz")).unwrap()
        };
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        assert_eq!(archive(one.path()), archive(other.path()));
    }
}
