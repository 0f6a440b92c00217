//! The jar that a build has made, as it goes into the image: once it is sure that it can be started,
//! and divided where that changes nothing.

use std::fs;
use std::path::Path;

use zip::result::ZipError;

use super::division::{Division, divide, is_class};
use super::jar::Jar;
use super::manifest::Manifest;
use super::own::Own;
use super::project::{JavaError, is_jar};
use super::start::{DEPENDENCIES, JAR};
use super::tool::Tool;
use super::untrusted_file::is_file;

/// By which words code asks where its jar is, and may go on to look into it: it is to find all there.
const OF_ITS_PLACE: [&str; 3] = ["java/security/CodeSource", "java.class.path", JAR];

/// The most of the project's own classes that is looked at, in bytes.
const MOST_OWN: u64 = 64 << 20;

/// Takes what was built in `build` into the directory `to`: the jar, and beside it what it depends on
/// if that can be divided from it.
pub(super) fn take(tool: Tool, build: &Path, to: &Path) -> Result<(), JavaError> {
    let wanted = format!("{}/{JAR}", tool.made_in());
    let path = build.join(&wanted);
    if !is_file(&path) {
        let found = jars_in(&build.join(tool.made_in()));
        let found = found.into_iter().map(|jar| format!("{}/{jar}", tool.made_in())).collect();
        let (tool, way) = (tool.name(), tool.way_to_name());
        return Err(JavaError::NotBuilt { tool, wanted, found, way });
    }
    let malformed = |fault| JavaError::Malformed { jar: wanted.clone(), fault };
    let mut jar = Jar::open(&path).map_err(malformed)?;
    let manifest = Manifest::parse(&jar.manifest().map_err(malformed)?);
    let Some(class) = manifest.main_class() else {
        return Err(JavaError::NoMainClass { jar: wanted });
    };
    if !jar.holds(&class) {
        return Err(JavaError::NoClass { jar: wanted, class });
    }
    let division = division(&mut jar, &manifest, &Own::of(tool, build)).map_err(malformed)?;
    lay_out(&mut jar, &manifest, division, to)
}

/// How the jar is divided, if it can be.
fn division(jar: &mut Jar, manifest: &Manifest, own: &Own) -> Result<Option<Division>, ZipError> {
    let names = jar.names()?;
    let Some(division) = divide(&names, manifest, |name| own.has(name)) else { return Ok(None) };
    let mut room = MOST_OWN;
    for number in division.own.iter().copied().filter(|number| is_class(&names[*number])) {
        let class = jar.content(number, room)?;
        room -= class.len() as u64;
        if room == 0 || OF_ITS_PLACE.iter().any(|words| contains(&class, words.as_bytes())) {
            return Ok(None);
        }
    }
    Ok(Some(division))
}

/// Writes the jars.
fn lay_out(
    jar: &mut Jar,
    manifest: &Manifest,
    division: Option<Division>,
    to: &Path,
) -> Result<(), JavaError> {
    let (whole, dependencies) = (to.join(JAR), to.join(DEPENDENCIES));
    let unwritten = |path: &Path| {
        let path = path.to_owned();
        move |fault| JavaError::Write(path, fault)
    };
    let Some(Division { own, others }) = division else {
        let all = 0..jar.names().map_err(unwritten(&whole))?.len();
        return jar.write(all, None, &whole).map_err(unwritten(&whole));
    };
    let above = dependencies.parent().unwrap_or(to);
    fs::create_dir_all(above).map_err(|error| unwritten(above)(error.into()))?;
    let (naming, reduced) = (manifest.with_class_path(DEPENDENCIES), manifest.of_dependencies());
    jar.write(own, Some(&naming), &whole).map_err(unwritten(&whole))?;
    jar.write(others, Some(&reduced), &dependencies).map_err(unwritten(&dependencies))
}

fn contains(content: &[u8], words: &[u8]) -> bool {
    content.windows(words.len()).any(|window| window == words)
}

fn jars_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut jars: Vec<String> = names.filter(|name| is_jar(name)).collect();
    jars.sort();
    jars.truncate(3);
    jars
}

#[cfg(test)]
mod tests {
    use super::super::division::MANIFEST;
    use super::super::jar::tests::jar;
    use super::*;

    /// What of the jars of a project with this class there is, and what each holds.
    fn taken(directory: &Path, class: &str, manifest: &str) -> Vec<(&'static str, Vec<String>)> {
        let (build, to) = (directory.join("build"), directory.join("image"));
        let note = "META-INF/maven/example/asset/pom.properties";
        let entries = [
            (MANIFEST, manifest),
            ("a/Own.class", class),
            ("b/Other.class", "java.class.path"),
            (note, "version=1\n"),
        ];
        for made in ["target/classes/a", "target/maven-archiver"] {
            fs::create_dir_all(build.join(made)).unwrap();
        }
        fs::create_dir(&to).unwrap();
        fs::write(build.join("target/classes/a/Own.class"), class).unwrap();
        let text = "groupId=example\nartifactId=asset\n";
        fs::write(build.join("target/maven-archiver/pom.properties"), text).unwrap();
        jar(&build.join("target/chaincode.jar"), &entries, 2026);
        take(Tool::Maven, &build, &to).unwrap();
        let there = [JAR, DEPENDENCIES].into_iter().filter(|jar| to.join(jar).exists());
        there.map(|jar| (jar, Jar::open(&to.join(jar)).unwrap().names().unwrap())).collect()
    }

    const STARTED: &str = "Manifest-Version: 1.0\nMain-Class: b.Other\n\n";

    #[test]
    fn what_is_the_projects_own_is_a_jar_of_its_own() {
        let place = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| place.path().join(name));
        let note = "META-INF/maven/example/asset/pom.properties";
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let expected: Vec<(&str, Vec<String>)> = vec![
            (JAR, names(&[MANIFEST, note, "a/Own.class"])),
            (DEPENDENCIES, names(&[MANIFEST, "b/Other.class"])),
        ];
        assert_eq!(taken(&one, "class", STARTED), expected);
        let newer = STARTED.replace("\n\n", "\nImplementation-Version: 2\n\n");
        assert_eq!(taken(&other, "another", &newer), expected);
        let read = |place: &Path, jar| fs::read(place.join("image").join(jar)).unwrap();
        assert_ne!(read(&one, JAR), read(&other, JAR));
        assert_eq!(read(&one, DEPENDENCIES), read(&other, DEPENDENCIES));
        let manifest = Jar::open(&one.join("image").join(JAR)).unwrap().manifest().unwrap();
        let manifest = String::from_utf8(manifest).unwrap();
        assert!(manifest.contains("\nClass-Path: lib/dependencies.jar\n"), "{manifest}");
    }

    #[test]
    fn one_that_may_look_into_its_jar_finds_all_there() {
        let place = tempfile::tempdir().unwrap();
        for (number, words) in
            ["()Ljava/security/CodeSource;", "..java.class.path", "x/chaincode.jar"]
                .iter()
                .enumerate()
        {
            let taken = taken(&place.path().join(number.to_string()), words, STARTED);
            let [(JAR, names)] = &taken[..] else { panic!("{words}: {taken:?}") };
            assert_eq!(names.len(), 4, "{words}");
        }
    }

    #[test]
    fn one_with_a_manifest_too_large_to_change_is_written_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let large = format!("{STARTED}{}", "Name: a/\nSealed: true\n\n".repeat(1 << 16));
        assert_eq!(taken(place.path(), "class", &large).len(), 1);
    }

    #[test]
    fn one_that_is_sealed_is_written_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let sealed = STARTED.replace("\n\n", "\nSealed: true\n\n");
        assert_eq!(taken(place.path(), "class", &sealed).len(), 1);
        let manifest = Jar::open(&place.path().join("image").join(JAR)).unwrap().manifest();
        assert_eq!(manifest.unwrap(), sealed.as_bytes());
    }
}
