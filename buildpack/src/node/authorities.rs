//! Whom Node trusts: the authorities that it was built with, and those of one file. It knows no
//! directory of them, as Go and OpenSSL do (`src/crypto/crypto_context.cc` in Node).

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::recipe::Toolchain;

/// The file of further authorities.
const EXTRA: &str = "NODE_EXTRA_CA_CERTS";

/// Lets Node trust what others trust by `SSL_CERT_DIR` and `SSL_CERT_FILE`, by one file below `own`.
pub(super) fn provide(toolchain: &mut Toolchain, own: &Path) -> io::Result<()> {
    if toolchain.get(EXTRA).is_some() {
        return Ok(());
    }
    let bundles = bundles(toolchain);
    if bundles.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(own)?;
    let mut file = NamedTempFile::new_in(own)?;
    for bundle in bundles {
        // What cannot be read is passed over, as by Go and OpenSSL.
        if let Ok(text) = fs::read(bundle) {
            file.write_all(&text)?;
            file.write_all(b"\n")?;
        }
    }
    let path = own.join("authorities.pem");
    file.persist(&path)?;
    toolchain.set(EXTRA, &path);
    Ok(())
}

/// The files that the two variables name, and that are there.
fn bundles(toolchain: &Toolchain) -> Vec<PathBuf> {
    let directories = toolchain.get("SSL_CERT_DIR").map(std::env::split_paths);
    let mut bundles: Vec<PathBuf> = directories
        .into_iter()
        .flatten()
        .filter_map(|directory| fs::read_dir(directory).ok())
        .flat_map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())))
        .collect();
    bundles.sort();
    bundles.extend(toolchain.get("SSL_CERT_FILE").map(PathBuf::from));
    bundles.retain(|bundle| bundle.is_file());
    bundles
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::language::Language;

    fn extra(variables: &[(&str, &Path)], own: &Path) -> Option<String> {
        let home = ("HOME", own);
        let variables: Vec<(OsString, OsString)> = variables
            .iter()
            .chain([&home])
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let toolchain = Language::Node.toolchain(variables, own).unwrap();
        assert!(toolchain.own().is_empty());
        toolchain.get(EXTRA).map(|path| fs::read_to_string(path).unwrap())
    }

    #[test]
    fn what_others_trust() {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join("own");
        let certificates = directory.path().join("certificates");
        fs::create_dir_all(certificates.join("..data")).unwrap();
        fs::write(certificates.join("a.pem"), "A").unwrap();
        fs::write(certificates.join("b.pem"), "B").unwrap();
        // A file that nobody can read from its beginning, not even root.
        std::os::unix::fs::symlink("/proc/self/mem", certificates.join("0.pem")).unwrap();
        let file = directory.path().join("c.pem");
        fs::write(&file, "C").unwrap();
        fs::create_dir(&own).unwrap();
        assert_eq!(extra(&[], &own), None);
        let both = [("SSL_CERT_DIR", &*certificates), ("SSL_CERT_FILE", &*file)];
        assert_eq!(extra(&both, &own).unwrap(), "A\nB\nC\n");
        assert_eq!(extra(&[both[0], (EXTRA, &*file)], &own).unwrap(), "C");
        assert_eq!(extra(&[("SSL_CERT_FILE", Path::new("/nowhere"))], &own), None);
    }
}
