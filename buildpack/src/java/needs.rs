//! What tells which files of the repository a build asks for: what Maven is told of the project.

use std::path::Path;

use crate::archive::EntryPath;
use crate::digest::Sha256;
use crate::source::{Source, SourceError};

/// What Maven calls the description of a project, or of a part of it.
const DESCRIPTION: &str = "pom.xml";

/// Where its own settings and extensions are, and what its wrapper fetches.
const SETTINGS: &str = ".mvn";

/// The digest of all that; none if there is none of it.
pub(super) fn needs(source: &Source) -> Result<Option<Sha256>, SourceError> {
    let told = source.part(tells);
    if told.files().is_empty() {
        return Ok(None);
    }
    told.digest().map(Some)
}

fn tells(path: &EntryPath) -> bool {
    let path = Path::new(path.as_str());
    path.ends_with(DESCRIPTION) || path.iter().any(|name| name == SETTINGS)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_maven_is_told_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let written = |path: &str, text: &str| {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            needs(&Source::open(directory.path()).unwrap()).unwrap()
        };
        assert_eq!(written("src/main/java/A.java", "class A {}"), None);
        let first = written("src/pom.xml", "<project/>");
        assert!(first.is_some());
        assert_eq!(written("src/main/java/A.java", "class A { }"), first);
        assert_eq!(written("src/main/resources/my-pom.xml", "<project/>"), first);
        let more = written("src/part/pom.xml", "<project/>");
        let told = written("src/.mvn/wrapper/maven-wrapper.properties", "distributionUrl=x");
        let other = written("src/pom.xml", "<project></project>");
        let all = [first, more, told, other];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }
}
