//! Maven's repository, of which builds are given a mirror
//! (<https://maven.apache.org/repository/layout.html>). What was released there never changes; lists
//! of versions and snapshots do.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::recipe::{CHECKSUM, Content, Mirror, RepositoryPath, Toolchain};

/// The repository that every Maven knows as `central`, or what stands in for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct MavenRepository;

/// What Maven's wrapper takes for the place of its distributions, too.
const VARIABLE: &str = "MVNW_REPOURL";

/// The ends of names of checksums that are not kept.
const CHECKSUMS: [&str; 4] = [CHECKSUM, ".md5", ".sha256", ".sha512"];

impl Mirror for MavenRepository {
    fn name(&self) -> &'static str {
        "maven"
    }

    fn variable(&self) -> &'static str {
        VARIABLE
    }

    fn address(&self) -> &'static str {
        "https://repo.maven.apache.org/maven2"
    }

    fn content(&self, path: &RepositoryPath) -> Content {
        match path.without(CHECKSUM) {
            Some(file) if is_released(&file) => Content::ChecksumOf(file),
            None if is_released(path) => Content::Lasting,
            _ => Content::Passing,
        }
    }

    fn asking(&self, toolchain: &Toolchain, address: &str) -> io::Result<Option<Toolchain>> {
        let Some(home) = toolchain.get("HOME").map(Path::new) else { return Ok(None) };
        let settings = home.join(".m2/settings.xml");
        if settings.exists() || image_settings(toolchain).is_some_and(|file| says_whom(&file)) {
            return Ok(None);
        }
        fs::create_dir_all(home.join(".m2"))?;
        fs::write(settings, asking(address))?;
        let mut toolchain = toolchain.clone();
        toolchain.set(VARIABLE, Path::new(address));
        Ok(Some(toolchain))
    }

    /// Maven's own repository. A file there of which nothing else is said is taken for one that was
    /// installed, and not asked for (`EnhancedLocalRepositoryManager` of Maven's resolver).
    fn place(&self, toolchain: &Toolchain) -> Option<PathBuf> {
        toolchain.get("HOME").map(|home| Path::new(home).join(".m2/repository"))
    }
}

/// Whether a file is that of a version of an artifact, `GROUP…/ARTIFACT/VERSION/ARTIFACT-VERSION…`,
/// and no snapshot and no checksum.
fn is_released(path: &RepositoryPath) -> bool {
    let [_, .., artifact, version, file] = path.names() else { return false };
    let rest = file.strip_prefix(artifact.as_str()).and_then(|rest| rest.strip_prefix('-'));
    let rest = rest.and_then(|rest| rest.strip_prefix(version.as_str()));
    rest.is_some_and(|rest| rest.starts_with(['.', '-']))
        && !version.ends_with("-SNAPSHOT")
        && !CHECKSUMS.iter().any(|end| file.ends_with(end))
}

/// Settings by which Maven asks somebody else in place of `central`.
fn asking(address: &str) -> String {
    format!(
        "<settings><mirrors><mirror><id>selvedge</id><mirrorOf>central</mirrorOf>\
         <url>{address}</url></mirror></mirrors></settings>\n"
    )
}

/// The settings that came with the Maven that is installed.
fn image_settings(toolchain: &Toolchain) -> Option<PathBuf> {
    let path = toolchain.get("PATH")?;
    let mut programs = std::env::split_paths(path).map(|directory| directory.join("mvn"));
    let program = programs.find_map(|program| program.canonicalize().ok())?;
    Some(program.ancestors().nth(2)?.join("conf/settings.xml"))
}

/// Whether settings have Maven ask another than `central` in its place, or by way of a proxy: whoever
/// made the image knows why. Those that cannot be read are Maven's to complain of.
fn says_whom(settings: &Path) -> bool {
    let Ok(text) = fs::read_to_string(settings) else { return false };
    let Ok(document) = roxmltree::Document::parse(&text) else { return false };
    let mut elements = document.descendants().filter(roxmltree::Node::is_element);
    elements.any(|element| match element.tag_name().name() {
        "proxy" => true,
        // Every Maven has one that keeps it from plain HTTP.
        "mirror" => !element.children().any(|child| child.tag_name().name() == "blocked"),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn what_was_released_lasts() {
        let shim = "/org/example/shim/2.5.6/shim-2.5.6";
        let content = |path: &str| MavenRepository.content(&RepositoryPath::parse(path).unwrap());
        for end in [".jar", ".pom", "-sources.jar", ".jar.asc", ".tar.gz"] {
            let path = format!("{shim}{end}");
            assert_eq!(content(&path), Content::Lasting, "{path}");
            let file = RepositoryPath::parse(&path).unwrap();
            assert_eq!(content(&format!("{path}.sha1")), Content::ChecksumOf(file));
        }
        let distribution = "/org/apache/maven/apache-maven/3.9.9/apache-maven-3.9.9-bin.zip";
        assert_eq!(content(distribution), Content::Lasting);
        for path in [
            &*format!("{shim}.jar.md5"),
            &format!("{shim}.jar.sha512"),
            &format!("{shim}.jar.md5.sha1"),
            "/org/example/shim/maven-metadata.xml",
            "/org/example/shim/maven-metadata.xml.sha1",
            "/org/example/shim/2.5.6/maven-metadata.xml",
            "/org/example/shim/1-SNAPSHOT/shim-1-SNAPSHOT.jar",
            "/org/example/shim/1-SNAPSHOT/shim-1-20260101.000000-1.jar",
            "/org/example/shim/2.5.6/other-2.5.6.jar",
            "/org/example/shim/2.5.6/shim-2.5.60.jar",
            "/shim/2.5.6/shim-2.5.6.jar",
            "/archetype-catalog.xml",
        ] {
            assert_eq!(content(path), Content::Passing, "{path}");
        }
    }

    /// The settings that an installed Maven has, and whether the mirror is asked.
    fn asked(settings: &str) -> bool {
        let place = tempfile::tempdir().unwrap();
        let (maven, home) = (place.path().join("maven"), place.path().join("home"));
        for directory in ["bin", "conf"] {
            fs::create_dir_all(maven.join(directory)).unwrap();
        }
        fs::write(maven.join("bin/mvn"), "").unwrap();
        fs::write(maven.join("conf/settings.xml"), settings).unwrap();
        fs::create_dir(&home).unwrap();
        let variables =
            [("HOME".into(), home.clone().into()), ("PATH".into(), maven.join("bin").into())];
        let toolchain = Language::Java.toolchain(variables, place.path()).unwrap();
        assert_eq!(MavenRepository.place(&toolchain).unwrap(), home.join(".m2/repository"));
        let address = "http://127.0.0.1:1";
        let asking = MavenRepository.asking(&toolchain, address).unwrap();
        let written = fs::read_to_string(home.join(".m2/settings.xml")).unwrap_or_default();
        let Some(asking) = asking else {
            assert_eq!(written, "");
            return false;
        };
        assert!(written.contains("<mirrorOf>central</mirrorOf><url>http://127.0.0.1:1</url>"));
        assert_eq!(asking.get(VARIABLE).unwrap(), address);
        // What is there then is somebody's.
        assert!(MavenRepository.asking(&toolchain, address).unwrap().is_none());
        true
    }

    #[test]
    fn the_mirror_is_asked_unless_an_image_says_whom_to_ask() {
        let settings = |inner: &str| {
            let scheme = "http://maven.apache.org/SETTINGS/1.2.0";
            format!(
                "<?xml version=\"1.0\"?>\n<!-- <proxy> --><settings xmlns=\"{scheme}\">{inner}</settings>"
            )
        };
        let blocker = "<mirrors><mirror><mirrorOf>external:http:*</mirrorOf><url>http://0.0.0.0/</url>\
                       <blocked>true</blocked></mirror></mirrors>";
        assert!(asked(&settings("")) && asked(&settings(blocker)) && asked("<settings"));
        let own = "<mirrors><mirror><mirrorOf>*</mirrorOf><url>https://m.example</url></mirror></mirrors>";
        assert!(!asked(&settings(own)));
        assert!(!asked(&settings("<proxies><proxy><host>p</host></proxy></proxies>")));
    }
}
