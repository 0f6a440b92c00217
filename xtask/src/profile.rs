//! The profile of the launcher's traffic, by which the compiler of the release binaries knows
//! which ways messages take (profile-guided optimization).
//!
//! Most of what a message costs in the proxy is code of libraries, and most of that is for cases
//! that never come up there. With the profile the compiler knows which: at 64 clients the
//! launcher then needs a quarter less of a processor for each call. The profile is part of the
//! repository, so that to make the binaries takes one build and no load.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use object::read::archive::ArchiveFile;
use serde_json::Value;
use testbed::dist::workspace_dir;

/// The host of the compiler that recorded it. Binaries for others are made without.
const RECORDED_ON: &str = "x86_64-unknown-linux-gnu";

/// Whether the profile can be used for binaries that run on this host.
pub fn is_for(host: &str) -> bool {
    host == RECORDED_ON
}

/// What tells the compiler to use the profile. It says nothing of a function that has changed
/// since, which it compiles as if there were none.
pub fn flags() -> [String; 2] {
    [format!("-Cprofile-use={}", path().display()), "-Cllvm-args=-no-pgo-warn-mismatch".to_owned()]
}

/// Where it is kept.
pub fn path() -> PathBuf {
    workspace_dir().join("launcher/proxy/traffic.profdata")
}

/// An error when the profile is for other functions than those of the build that cargo reports
/// in `messages`.
///
/// A function's name contains a hash of the compiler's version and of those of all libraries that
/// its crate uses. When these change, the compiler finds nothing in the profile, and is silent.
pub fn check_fit(messages: &str) -> Result<()> {
    let path = path();
    let profile = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(
        has_one_of(&profile, &names_in(&library(messages)?)?),
        "{} was recorded with another compiler or other versions of the libraries, and helps \
         nothing now: record it anew with `cargo xtask profile`",
        path.display()
    );
    Ok(())
}

/// The proxy's library.
fn library(messages: &str) -> Result<PathBuf> {
    let files = messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == "selvedge_proxy";
        message["filenames"].as_array().filter(|_| is_it).cloned()
    });
    let files = files.context("cargo says nothing of the proxy's library")?;
    let mut paths = files.iter().filter_map(Value::as_str).map(PathBuf::from);
    let library = paths.find(|path| path.extension().is_some_and(|it| it == "rlib"));
    library.context("the proxy's library is no archive")
}

/// The functions of the proxy that its library offers to others.
fn names_in(library: &Path) -> Result<Vec<Vec<u8>>> {
    let bytes = fs::read(library).with_context(|| format!("cannot read {}", library.display()))?;
    let symbols = ArchiveFile::parse(&*bytes)?.symbols()?.context("a library without symbols")?;
    let names = symbols.map(|symbol| Ok(symbol?.name().to_owned()));
    let mut names: Vec<Vec<u8>> = names.collect::<Result<_>>()?;
    names.retain(|name| name.starts_with(b"_ZN14selvedge_proxy"));
    Ok(names)
}

fn has_one_of(profile: &[u8], names: &[Vec<u8>]) -> bool {
    names.iter().any(|name| profile.windows(name.len()).any(|bytes| bytes == name))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::cargo::output;

    /// A library of that name with one function, as cargo would report it.
    fn library_with(function: &str, directory: &Path) -> String {
        let source = directory.join("lib.rs");
        fs::write(&source, format!("#[inline(never)]\npub fn {function}() {{}}")).unwrap();
        let library = directory.join("libselvedge_proxy-1.rlib");
        let mut rustc = Command::new("rustc");
        rustc.args(["--crate-type=rlib", "--crate-name=selvedge_proxy", "-o"]);
        output(rustc.arg(&library).arg(&source)).unwrap();
        let target = serde_json::json!({ "name": "selvedge_proxy" });
        serde_json::json!({ "target": target, "filenames": [library] }).to_string()
    }

    #[test]
    fn a_profile_fits_when_it_names_a_function_of_the_library() {
        let directory = tempfile::tempdir().unwrap();
        let messages = library_with("pass", directory.path());
        let names = names_in(&library(&messages).unwrap()).unwrap();
        assert_eq!(names.len(), 1);
        let profile = [b"counts", &names[0][..], b"counts"].concat();
        assert!(has_one_of(&profile, &names));
        assert!(!has_one_of(&profile[..profile.len() - 7], &names));
    }

    #[test]
    fn a_build_that_the_profile_is_not_of_is_an_error_that_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let error = check_fit(&library_with("pass", directory.path())).unwrap_err().to_string();
        assert!(error.contains("traffic.profdata was recorded with another compiler"), "{error}");
        assert!(error.ends_with("`cargo xtask profile`"), "{error}");
    }
}
