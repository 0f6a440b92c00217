//! A language's tools on this machine, as the launcher has them and as one build does.
//!
//! What they keep for other builds lies in directories of the launcher's own, and what they make for
//! themselves in one that goes with the build: no build finds what another has written, unless nothing
//! but the tools themselves could have written it. Of their user's own home they see the settings.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use selvedge_buildpack::language::Language;
use selvedge_buildpack::recipe::Toolchain;

use super::given::Given;
use crate::data::own_directory;

/// Variables that say where tools keep what they keep: here that is the launcher's matter.
const PLACES: [&str; 13] = [
    "COREPACK_HOME",
    "GOCACHE",
    "GOMODCACHE",
    "GOPATH",
    "GRADLE_USER_HOME",
    HOME,
    "MAVEN_USER_HOME",
    "NPM_CONFIG_CACHE",
    "PNPM_HOME",
    "XDG_CACHE_HOME",
    "YARN_CACHE_FOLDER",
    "YARN_GLOBAL_FOLDER",
    "npm_config_cache",
];

const HOME: &str = "HOME";

/// Where Go fetches modules, and where it does if nothing is said (`src/cmd/go/internal/cfg/cfg.go`).
const PROXIES: (&str, &str) = ("GOPROXY", "https://proxy.golang.org,direct");

/// Where in a user's home Go keeps what it has fetched, and of that the archives, which it takes from
/// anywhere, since it holds them against `go.sum` (<https://go.dev/ref/mod#module-cache>).
const MODULES: &str = "go/pkg/mod";
const ARCHIVES: &str = "cache/download";

/// What tools are told in their user's home: whom to ask, by way of whom, and who they are there.
const SETTINGS: [&str; 14] = [
    ".config/git",
    ".config/pnpm/rc",
    ".git-credentials",
    ".gitconfig",
    ".gradle/gradle.properties",
    ".gradle/init.d",
    ".gradle/init.gradle",
    ".m2/settings-security.xml",
    ".m2/settings.xml",
    ".m2/toolchains.xml",
    ".netrc",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
];

/// Variables that name a file or directory in which something is said.
const FILES: [&str; 8] = [
    "GIT_SSL_CAINFO",
    "NETRC",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "npm_config_cafile",
    "npm_config_globalconfig",
    "npm_config_userconfig",
];

/// How a place of this machine is named among addresses.
const FILE: &str = "file://";

/// The launcher's tools for a language.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) language: Language,
    /// What they keep for other builds.
    own: PathBuf,
    /// As nothing is built by them.
    pub(super) toolchain: Toolchain,
}

/// The same for one build.
#[derive(Debug)]
pub(super) struct BuildTools {
    pub(super) toolchain: Toolchain,
    /// What they are to be given of this machine.
    pub(super) given: Vec<Given>,
}

impl Tools {
    /// Those of a language, which keep what they keep below `place`.
    pub(super) fn of(language: Language, place: &Path) -> io::Result<Self> {
        let own = place.join(language.kind().name());
        own_directory(&own)?;
        // Where a confined process finds it.
        let own = own.canonicalize()?;
        let toolchain = language.toolchain(variables(env::vars_os()), &own)?;
        Ok(Self { language, own, toolchain })
    }

    /// Where they keep what they keep.
    pub(super) fn own(&self) -> &Path {
        &self.own
    }

    /// Those for a build whose home is to be `home`, an empty directory.
    pub(super) fn for_build(&self, home: &Path) -> io::Result<BuildTools> {
        let mut given = Vec::new();
        if let Some(users) = env::var_os(HOME).map(PathBuf::from).filter(|home| home.is_absolute())
        {
            given.extend(settle(&users, home)?);
        }
        let mut variables: Vec<_> = variables(env::vars_os()).collect();
        if let Some(archives) = archives(|name| env::var_os(name)) {
            ask_first(&archives, &mut variables);
        }
        given.extend(named(&variables));
        own_directory(&self.own)?;
        given.push(Given::writable(home));
        let toolchain = if self.language.runs_packages() {
            given.push(Given::read_only(&self.own));
            variables.push((HOME.into(), home.into()));
            self.language.toolchain(variables, &self.own)?
        } else {
            // They find no home to keep things in, and are given what is the launcher's.
            given.push(Given::writable(&self.own));
            let mut toolchain = self.language.toolchain(variables, &self.own)?;
            toolchain.set(HOME, home);
            toolchain
        };
        Ok(BuildTools { toolchain, given })
    }
}

/// Those of this process that say nothing of places.
fn variables(
    all: impl Iterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (OsString, OsString)> {
    all.filter(|(name, _)| PLACES.iter().all(|place| name != place))
}

/// The archives of modules that their user has fetched himself, if there are some.
fn archives(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| variable(name).filter(|value| !value.is_empty());
    let modules = path("GOMODCACHE").map(PathBuf::from).or_else(|| {
        let first = path("GOPATH").and_then(|paths| env::split_paths(&paths).next());
        first.map(|first| first.join("pkg/mod"))
    });
    let modules = modules.or_else(|| path(HOME).map(|home| Path::new(&home).join(MODULES)))?;
    let archives = modules.join(ARCHIVES);
    (archives.is_absolute() && archives.is_dir()).then_some(archives)
}

/// Has Go look there before it asks anybody.
fn ask_first(archives: &Path, variables: &mut Vec<(OsString, OsString)>) {
    let said = variables.iter().position(|(name, _)| name == PROXIES.0);
    let others = said.map(|at| variables.swap_remove(at).1).filter(|others| !others.is_empty());
    let mut proxies = OsString::from(FILE);
    proxies.push(archives);
    proxies.push(",");
    proxies.push(others.unwrap_or_else(|| PROXIES.1.into()));
    variables.push((PROXIES.0.into(), proxies));
}

/// Lets tools find in `home` what they are told in their user's; what they are to be given for that.
fn settle(users: &Path, home: &Path) -> io::Result<Vec<Given>> {
    let mut given = Vec::new();
    for name in SETTINGS {
        // What is a link may lead anywhere.
        let Ok(said) = users.join(name).canonicalize() else { continue };
        let link = home.join(name);
        fs::create_dir_all(link.parent().unwrap_or(home))?;
        symlink(&said, link)?;
        given.push(Given::read_only(said));
    }
    Ok(given)
}

/// The files of this machine that variables name.
fn named(variables: &[(OsString, OsString)]) -> Vec<Given> {
    let mut given = Vec::new();
    for (name, value) in variables {
        if FILES.iter().any(|file| name == file) {
            given.extend(env::split_paths(value));
        }
        let addresses = value.to_str().unwrap_or_default().split([',', '|', ' ']);
        given.extend(addresses.filter_map(|address| address.strip_prefix(FILE)).map(PathBuf::from));
    }
    let is_there = |path: &PathBuf| path.is_absolute() && path.exists() && *path != Path::new("/");
    given.into_iter().filter(is_there).map(Given::read_only).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn pair(name: &str, value: &str) -> (OsString, OsString) {
        (name.into(), value.into())
    }

    fn places(given: &[Given]) -> Vec<&OsStr> {
        given.iter().map(|given| &*given.to).collect()
    }

    #[test]
    fn settings_are_found_and_nothing_else_of_a_home() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().canonicalize().unwrap().join(name);
        for place in ["users/.m2/repository", "users/.ssh", "dotfiles", "home"] {
            fs::create_dir_all(at(place)).unwrap();
        }
        fs::write(at("users/.m2/settings.xml"), "settings").unwrap();
        fs::write(at("dotfiles/npmrc"), "npmrc").unwrap();
        symlink(at("dotfiles/npmrc"), at("users/.npmrc")).unwrap();
        let given = settle(&at("users"), &at("home")).unwrap();
        assert_eq!(places(&given), [at("users/.m2/settings.xml"), at("dotfiles/npmrc")]);
        assert!(given.iter().all(|given| !given.writable));
        assert_eq!(fs::read_to_string(at("home/.npmrc")).unwrap(), "npmrc");
        assert_eq!(fs::read_to_string(at("home/.m2/settings.xml")).unwrap(), "settings");
        assert!(!at("home/.m2/repository").exists() && !at("home/.ssh").exists());
        assert!(settle(&at("nowhere"), &at("home")).unwrap().is_empty());
    }

    #[test]
    fn files_that_variables_name_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path().to_str().unwrap();
        let given = named(&[
            pair("NETRC", here),
            pair("GOPROXY", &format!("https://proxy.example,{FILE}{here}|direct")),
            pair("GOPRIVATE", here),
            pair("SSL_CERT_FILE", "/nowhere/at/all"),
            pair("SSL_CERT_DIR", "/"),
        ]);
        assert_eq!(places(&given), [here, here]);
    }

    #[test]
    fn what_says_places_is_not_heard() {
        let all = [pair("PATH", "/bin"), pair("HOME", "/root"), pair("GOCACHE", "/c")];
        let heard: Vec<_> = variables(all.into_iter()).collect();
        assert_eq!(heard, [pair("PATH", "/bin")]);
    }

    #[test]
    fn modules_that_the_user_has_are_not_fetched_again() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().to_str().unwrap();
        let of = |set: &[(&str, &str)]| {
            archives(|name| set.iter().find(|(of, _)| *of == name).map(|(_, value)| value.into()))
        };
        assert_eq!(of(&[(HOME, home)]), None);
        let kept = directory.path().join("go/pkg/mod/cache/download");
        fs::create_dir_all(&kept).unwrap();
        assert_eq!(of(&[(HOME, home)]).as_ref(), Some(&kept));
        let path = directory.path().join("go");
        assert_eq!(of(&[("GOPATH", path.to_str().unwrap())]).as_ref(), Some(&kept));
        assert_eq!(of(&[(HOME, home), ("GOMODCACHE", "/nowhere")]), None);
        for (said, expected) in [
            (None, "https://proxy.golang.org,direct"),
            (Some(""), "https://proxy.golang.org,direct"),
            (Some("off"), "off"),
        ] {
            let mut variables: Vec<_> =
                said.map(|said| pair("GOPROXY", said)).into_iter().collect();
            ask_first(&kept, &mut variables);
            let proxies = format!("file://{},{expected}", kept.display());
            assert_eq!(variables, [pair("GOPROXY", &proxies)]);
        }
    }

    #[test]
    fn a_build_gets_a_home_and_what_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        fs::create_dir(&home).unwrap();
        for (language, writable) in [(Language::Golang, true), (Language::Node, false)] {
            // Whatever somebody has left there.
            fs::write(directory.path().join(language.kind().name()), "a file").unwrap();
            let tools = Tools::of(language, directory.path()).unwrap();
            let BuildTools { toolchain, given } = tools.for_build(&home).unwrap();
            let version = language.version(&toolchain).unwrap();
            let is_home = |(name, value): &(OsString, OsString)| name == HOME && *value == home;
            assert!(version.environment.iter().any(is_home));
            let is_kept = |(name, value): &(OsString, OsString)| {
                name == "GOCACHE" && Path::new(value).starts_with(tools.own())
            };
            assert_eq!(version.environment.iter().any(is_kept), writable, "{language}");
            let kept = given.iter().find(|given| given.from == tools.own()).unwrap();
            assert_eq!(kept.writable, writable, "{language}");
            fs::remove_dir_all(&home).unwrap();
            fs::create_dir(&home).unwrap();
        }
    }
}
