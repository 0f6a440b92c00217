//! Whom tools trust that know no directory of authorities, as Go and OpenSSL do: those which the
//! variables `SSL_CERT_DIR` and `SSL_CERT_FILE` name, in one file.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::toolchain::Toolchain;
use crate::image::ca_bundle_path;

/// The variables that name authorities: a list of directories, and a file.
const DIRECTORIES: &str = "SSL_CERT_DIR";
const FILE: &str = "SSL_CERT_FILE";

/// A variable by which a tool takes authorities of one file.
struct OneFile {
    variable: &'static str,
    /// What the file is called.
    name: &'static str,
    /// Whether the tool trusts nobody besides.
    is_all: bool,
}

/// Node has authorities that it was built with (`src/crypto/crypto_context.cc` there).
const NODE: OneFile =
    OneFile { variable: "NODE_EXTRA_CA_CERTS", name: "authorities.pem", is_all: false };

/// Git hands the file to libcurl in place of the system's, and heeds neither of the two variables
/// where it was made with `GnuTLS`, as Debian's is.
const GIT: OneFile =
    OneFile { variable: "GIT_SSL_CAINFO", name: "all-authorities.pem", is_all: true };

/// Lets Node trust what others trust, by a file below `own`.
pub(crate) fn trusted_by_node(toolchain: &mut Toolchain, own: &Path) -> io::Result<()> {
    provide(&NODE, toolchain, own)
}

/// Lets Git, by which other tools fetch what is in repositories, trust what others trust, by a file
/// below `own`.
pub(crate) fn trusted_by_git(toolchain: &mut Toolchain, own: &Path) -> io::Result<()> {
    provide(&GIT, toolchain, own)
}

fn provide(tool: &OneFile, toolchain: &mut Toolchain, own: &Path) -> io::Result<()> {
    if toolchain.get(tool.variable).is_some() {
        return Ok(());
    }
    let mut bundles = bundles(toolchain);
    if bundles.is_empty() {
        return Ok(());
    }
    // A file that is named takes the place of the system's, a directory does not.
    if tool.is_all && toolchain.get(FILE).is_none() {
        bundles.extend(ca_bundle_path(None));
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
    let path = own.join(tool.name);
    file.persist(&path)?;
    toolchain.set(tool.variable, &path);
    Ok(())
}

/// The files that the two variables name, and that are there.
fn bundles(toolchain: &Toolchain) -> Vec<PathBuf> {
    let directories = toolchain.get(DIRECTORIES).map(std::env::split_paths);
    let mut bundles: Vec<PathBuf> = directories
        .into_iter()
        .flatten()
        .filter_map(|directory| fs::read_dir(directory).ok())
        .flat_map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())))
        .collect();
    bundles.sort();
    bundles.extend(toolchain.get(FILE).map(PathBuf::from));
    bundles.retain(|bundle| bundle.is_file());
    bundles
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::language::Language;

    /// What a tool of a language is told to trust.
    fn told(
        (language, tool): (Language, &OneFile),
        variables: &[(&str, &Path)],
        own: &Path,
    ) -> Option<String> {
        let home = ("HOME", own);
        let variables: Vec<(OsString, OsString)> = variables
            .iter()
            .chain([&home])
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let toolchain = language.toolchain(variables, own).unwrap();
        toolchain.get(tool.variable).map(|path| fs::read_to_string(path).unwrap())
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
        let by_directory = ("SSL_CERT_DIR", &*certificates);
        let by_file = ("SSL_CERT_FILE", &*file);
        let tools = [(Language::Node, &NODE), (Language::Node, &GIT), (Language::Golang, &GIT)];
        for tool in tools {
            let told = |variables: &[_]| told(tool, variables, &own);
            assert_eq!(told(&[]), None);
            assert_eq!(told(&[by_directory, by_file]).unwrap(), "A\nB\nC\n");
            assert_eq!(told(&[by_directory, (tool.1.variable, &*file)]).unwrap(), "C");
            assert_eq!(told(&[("SSL_CERT_FILE", Path::new("/nowhere"))]), None);

            let alone = told(&[by_directory]).unwrap();
            let besides = alone.strip_prefix("A\nB\n").unwrap();
            assert_eq!(besides.contains("BEGIN CERTIFICATE"), tool.1.is_all);
        }
    }
}
