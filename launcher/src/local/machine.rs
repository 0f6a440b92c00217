//! What of this machine every confined process may read: what is installed for all, and no place where
//! somebody keeps what is his.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::given::Given;
use super::search_path::find_in;

/// Programs and libraries, where distributions put them.
const INSTALLED: [&str; 9] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"];

/// What they are set to, of which nothing is a secret: names, certificates, where libraries are.
const SETTINGS: [&str; 27] = [
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "gai.conf",
    "gitconfig",
    "group",
    "host.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "maven",
    "mime.types",
    "nsswitch.conf",
    "npmrc",
    "os-release",
    "passwd",
    "pki/ca-trust",
    "pki/java",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "protocols",
    "resolv.conf",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
];

/// How the names of a JDK's settings begin there.
const OF_JAVA: &str = "java";

/// What the kernel tells of this machine's processors and of what a process may take of it, by which
/// runtimes measure themselves.
const TOLD: [&str; 2] = ["/sys/devices/system/cpu", "/sys/fs/cgroup"];

/// What a language's code is run or built by, wherever its user has installed it.
const TOOLS: [&str; 12] = [
    "go", "gcc", "git", "node", "npm", "yarn", "pnpm", "java", "javac", "mvn", "gradle", "python3",
];

/// Variables that name where one of them is installed.
const HOMES: [&str; 4] = ["JAVA_HOME", "GRADLE_HOME", "MAVEN_HOME", "GOROOT"];

/// What an installation has beside its programs, in a directory that is somebody's home besides.
const PARTS: [&str; 5] = ["bin", "include", "lib", "lib64", "libexec"];

/// What this machine has of it, as the launcher's environment is.
pub(super) fn machine() -> Vec<Given> {
    of(&|variable| env::var_os(variable).filter(|value| !value.is_empty()))
}

fn of(variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<Given> {
    let settings = SETTINGS.iter().map(|name| Path::new("/etc").join(name));
    let fixed = INSTALLED.iter().chain(&TOLD).map(PathBuf::from);
    let mut given: Vec<Given> = Vec::new();
    for place in fixed.chain(settings).chain(settings_of_java()) {
        give(&mut given, &place);
    }
    let path = variable("PATH").unwrap_or_default();
    let home = variable("HOME").map(PathBuf::from);
    let tools = TOOLS.iter().filter_map(|name| find_in(&path, OsStr::new(name)));
    let named = HOMES.iter().filter_map(|name| variable(name)).map(PathBuf::from);
    for installation in tools.flat_map(|tool| installations(&tool)).chain(named) {
        for part in parts(installation, home.as_deref()) {
            give(&mut given, &part);
        }
    }
    given
}

/// Adds what is there, and no part of what is given already.
fn give(given: &mut Vec<Given>, place: &Path) {
    let has = |given: &Given| place.starts_with(given.place());
    if !place.is_absolute() || given.iter().any(has) {
        return;
    }
    // What a link leads to is found in the link's place.
    if let Ok(from) = place.canonicalize() {
        given.push(Given { from, to: place.into(), writable: false });
    }
}

fn settings_of_java() -> Vec<PathBuf> {
    let entries = fs::read_dir("/etc").into_iter().flatten().flatten();
    let is_of_java =
        |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(OF_JAVA.as_bytes());
    entries.filter(is_of_java).map(|entry| entry.path()).collect()
}

/// Where a program is installed: what has its directory, and that of what it is a link to.
fn installations(program: &Path) -> Vec<PathBuf> {
    let whole = |program: &Path| {
        let directory = program.parent()?;
        let is_bin = directory.file_name() == Some(OsStr::new("bin"));
        Some(if is_bin { directory.parent()? } else { directory }.to_owned())
    };
    [Some(program.to_owned()), program.canonicalize().ok()]
        .into_iter()
        .filter_map(|program| whole(&program?))
        .collect()
}

/// All of an installation, unless it is in a directory that has more in it.
fn parts(installation: PathBuf, home: Option<&Path>) -> Vec<PathBuf> {
    let is_shared = home
        .is_some_and(|home| home.starts_with(&installation) || installation == home.join(".local"));
    if installation.parent().is_none() || is_shared {
        PARTS.iter().map(|part| installation.join(part)).collect()
    } else {
        vec![installation]
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Home(tempfile::TempDir);

    impl Home {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn program(&self, name: &str) -> PathBuf {
            use std::os::unix::fs::PermissionsExt;
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        }

        /// What is given of it, with these directories in the PATH.
        fn given(&self, path: &[&str]) -> Vec<PathBuf> {
            let home = self.0.path().canonicalize().unwrap();
            let path = env::join_paths(path.iter().map(|name| home.join(name))).unwrap();
            let variable = |name: &str| match name {
                "HOME" => Some(home.clone().into()),
                "PATH" => Some(path.clone()),
                _ => None,
            };
            let of_home = |given: Given| {
                assert!(!given.writable);
                given.place().strip_prefix(&home).ok().map(PathBuf::from)
            };
            let mut given: Vec<PathBuf> = of(&variable).into_iter().filter_map(of_home).collect();
            given.sort();
            given
        }
    }

    #[test]
    fn a_runtime_that_a_user_has_installed_and_nothing_else_of_his_home() {
        let home = Home::new();
        home.program(".nvm/versions/v20/bin/node");
        let npm = home.program(".nvm/versions/v20/lib/npm/bin/npm-cli.js");
        symlink(npm, home.0.path().join(".nvm/versions/v20/bin/npm")).unwrap();
        home.program("java/current/bin/java");
        fs::write(home.0.path().join(".netrc"), "secret").unwrap();
        let path = [".nvm/versions/v20/bin", "java/current/bin"];
        let expected = [".nvm/versions/v20", "java/current"].map(PathBuf::from);
        assert_eq!(home.given(&path), expected);
    }

    #[test]
    fn of_a_directory_that_has_more_in_it_what_programs_need() {
        let home = Home::new();
        home.program(".local/bin/node");
        home.program(".local/lib/node_modules/x");
        fs::create_dir_all(home.0.path().join(".local/share/keyrings")).unwrap();
        assert_eq!(home.given(&[".local/bin"]), [".local/bin", ".local/lib"].map(PathBuf::from));
        home.program("bin/go");
        assert_eq!(home.given(&["bin"]), ["bin"].map(PathBuf::from));
    }

    #[test]
    fn what_is_installed_for_all() {
        let given = of(&|_| None);
        let has = |place: &str| given.iter().any(|given| given.place() == Path::new(place));
        assert!(has("/usr") && has("/etc/passwd"));
        for place in ["/etc", "/etc/shadow", "/home", "/root", "/tmp", "/var", "/run"] {
            assert!(!has(place), "{place}");
        }
    }
}
