//! What a language's tools see of the environment of whoever builds.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;

use super::command::BuildCommand;

/// The variables by which the tools of every language get to what is outside: proxies and
/// certificates. What a build runs can read them.
const OUTSIDE: [&str; 8] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// A language's tools, which are found by the `PATH` that they see.
#[derive(Clone, Debug)]
pub struct Toolchain {
    environment: BTreeMap<OsString, OsString>,
    own: Vec<&'static str>,
}

impl Toolchain {
    /// Tools that see those of the `variables` which are `allowed`, by name or by how it begins
    /// (`npm_config_*`), and those that lead outside; of two with a name, the last.
    pub(crate) fn new(
        variables: &mut dyn Iterator<Item = (OsString, OsString)>,
        allowed: &[&str],
    ) -> Self {
        let is_allowed = |name: &OsStr| {
            allowed.iter().chain(&OUTSIDE).any(|allowed| match allowed.strip_suffix('*') {
                Some(beginning) => name.as_encoded_bytes().starts_with(beginning.as_bytes()),
                None => name == *allowed,
            })
        };
        Self { environment: variables.filter(|(name, _)| is_allowed(name)).collect(), own: vec![] }
    }

    /// The variables that name directories which were made because the tools would not have found
    /// what they need.
    pub fn own(&self) -> &[&'static str] {
        &self.own
    }

    /// What a variable says; an empty one says nothing.
    pub(crate) fn get(&self, variable: &str) -> Option<&OsString> {
        self.environment.get(OsStr::new(variable)).filter(|value| !value.is_empty())
    }

    /// Sets a variable to a path.
    pub fn set(&mut self, variable: &'static str, path: &Path) {
        self.environment.insert(variable.into(), path.into());
    }

    /// Gives the tools a directory of their own.
    pub(crate) fn give(&mut self, variable: &'static str, directory: &Path) {
        self.set(variable, directory);
        self.own.push(variable);
    }

    /// Gives them a home below `own` where they have none that can be written to.
    pub(crate) fn provide_home(&mut self, own: &Path) -> io::Result<()> {
        let home = self.get("HOME").map(Path::new);
        if !home.is_some_and(|home| home.is_absolute() && is_writable(home)) {
            let home = own.join("home");
            make_directory(&home)?;
            self.give("HOME", &home);
        }
        Ok(())
    }

    /// A command of these tools; what is `pinned` wins over what they see.
    pub(crate) fn command(
        &self,
        program: &str,
        arguments: Vec<OsString>,
        pinned: &[(&str, &str)],
        directory: &Path,
    ) -> BuildCommand {
        let mut environment = self.environment.clone();
        environment.extend(pinned.iter().map(|(name, value)| (name.into(), value.into())));
        BuildCommand {
            program: program.into(),
            arguments,
            environment: environment.into_iter().collect(),
            directory: directory.to_owned(),
        }
    }
}

/// Makes a directory of the launcher's own, whatever a build has left in its place.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_dir() => fs::remove_file(path)?,
        _ => {}
    }
    fs::create_dir_all(path)
}

/// Whether files can be made in a directory, which is made where there is none.
pub(crate) fn is_writable(directory: &Path) -> bool {
    fs::create_dir_all(directory).and_then(|()| tempfile::tempfile_in(directory)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_home_takes_the_place_of_whatever_was_left_there() {
        let own = tempfile::tempdir().unwrap();
        let home = own.path().join("home");
        let provided = || {
            let mut toolchain = Toolchain::new(&mut [].into_iter(), &[]);
            toolchain.provide_home(own.path()).unwrap();
            assert_eq!(toolchain.get("HOME").unwrap(), home.as_os_str());
            assert!(fs::symlink_metadata(&home).unwrap().is_dir());
        };
        fs::write(&home, "a file").unwrap();
        provided();
        fs::write(home.join("kept"), "kept").unwrap();
        provided();
        assert!(home.join("kept").exists());
        fs::remove_dir_all(&home).unwrap();
        symlink("/", &home).unwrap();
        provided();
    }
}
