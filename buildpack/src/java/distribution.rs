//! Where Gradle's wrapper fetches Gradle from: its package says Gradle's own server, in whose place
//! whoever builds may have named a mirror
//! (<https://docs.gradle.org/current/userguide/gradle_wrapper.html>). Which Gradle it is, and the
//! SHA-256 that it is to have (`distributionSha256Sum`), stay what the package says.

use std::fs;
use std::io;
use std::path::Path;

use url::Url;

use crate::recipe::Toolchain;

/// The variable that names a mirror: the address of the directory that holds `gradle-8.14-bin.zip` and
/// others. Gradle itself knows none.
const VARIABLE: &str = "SELVEDGE_GRADLE_DISTRIBUTIONS";

/// The wrapper's settings, and what of them is the address.
const SETTINGS: &str = "gradle/wrapper/gradle-wrapper.properties";
const ADDRESS: &str = "distributionUrl";

/// Gradle's own servers. What a package names besides, it has a reason for.
const OWN: [&str; 2] = ["services.gradle.org", "downloads.gradle.org"];

/// Has the wrapper of the project in `build` ask the mirror, if one is named.
///
/// # Errors
///
/// Also when what is named is no address.
pub(super) fn ask_mirror(toolchain: &Toolchain, build: &Path) -> io::Result<()> {
    let Some(named) = toolchain.get(VARIABLE) else { return Ok(()) };
    let mirror = named.to_str().and_then(mirror).ok_or_else(|| {
        io::Error::other(format!("{VARIABLE} is to be an http or https address without a query"))
    })?;
    let file = build.join(SETTINGS);
    match asking(&fs::read_to_string(&file)?, &mirror) {
        Some(settings) => fs::write(file, settings),
        None => Ok(()),
    }
}

/// The address of a directory.
fn mirror(text: &str) -> Option<Url> {
    let mut url: Url = text.parse().ok()?;
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() {
        return None;
    }
    url.path_segments_mut().ok()?.pop_if_empty().push("");
    Some(url)
}

/// The settings with the mirror in place of Gradle's own server; none if they name another one.
fn asking(settings: &str, mirror: &Url) -> Option<String> {
    let mut found = None;
    for (number, line) in settings.lines().enumerate() {
        if let Some(value) = value(line) {
            found = Some((number, value));
        }
    }
    let (number, value) = found?;
    let url: Url = value.parse().ok()?;
    let file = url.path_segments()?.next_back().filter(|file| !file.is_empty())?;
    if !url.host_str().is_some_and(|host| OWN.contains(&host)) {
        return None;
    }
    // What a file of properties would take for the end of the key, or for a comment.
    let address = mirror.join(file).ok()?.to_string().replace(':', "\\:");
    let mut lines: Vec<&str> = settings.lines().collect();
    let asking = format!("{ADDRESS}={address}");
    lines[number] = &asking;
    Some(lines.join("\n") + "\n")
}

/// The address, of the line that has it (`java.util.Properties`, `load`).
fn value(line: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix(ADDRESS)?;
    let value = rest.trim_start().strip_prefix(['=', ':'])?;
    Some(value.trim().replace('\\', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_A_PACKAGE: &str = "distributionBase=GRADLE_USER_HOME\n\
        distributionSha256Sum=20f1b1176237254a6fc204d8434196fa11a4cfb387567519c61556e8710aed78\n\
        distributionUrl=https\\://services.gradle.org/distributions/gradle-8.14-bin.zip\n\
        zipStorePath=wrapper/dists\n";

    fn asked(settings: &str, named: &str) -> Option<String> {
        asking(settings, &mirror(named).unwrap())
    }

    #[test]
    fn gradles_own_server_and_no_other() {
        for named in ["https://mirror.example:8443/gradle", "https://mirror.example:8443/gradle/"] {
            let expected = OF_A_PACKAGE.replace(
                "https\\://services.gradle.org/distributions/",
                "https\\://mirror.example\\:8443/gradle/",
            );
            assert_eq!(asked(OF_A_PACKAGE, named).unwrap(), expected);
        }
        let plain = " distributionUrl : https://services.gradle.org/distributions-snapshots/g.zip";
        let told = asked(plain, "http://10.0.0.7").unwrap();
        assert_eq!(told, "distributionUrl=http\\://10.0.0.7/g.zip\n");
        for other in [
            "distributionUrl=https\\://mirror.example/services.gradle.org/gradle-8.14-bin.zip\n",
            "distributionUrl=file\\:/opt/gradle.zip\n",
            "distributionUrl=gradle.zip\n",
            "#distributionUrl=https\\://services.gradle.org/distributions/g.zip\n",
            "",
        ] {
            assert_eq!(asked(other, "https://mirror.example"), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_mirror() {
        for text in ["mirror.example", "file:///opt", "https://mirror.example/?a", ""] {
            assert_eq!(mirror(text), None, "{text}");
        }
        let build = tempfile::tempdir().unwrap();
        let named = |text: &str| {
            let mut variables = [(VARIABLE.into(), text.into())].into_iter();
            ask_mirror(&Toolchain::new(&mut variables, &[VARIABLE]), build.path())
        };
        let told = named("mirror.example").unwrap_err().to_string();
        assert!(told.starts_with("SELVEDGE_GRADLE_DISTRIBUTIONS is to be"), "{told}");
        named("").unwrap();
        fs::create_dir_all(build.path().join("gradle/wrapper")).unwrap();
        fs::write(build.path().join(SETTINGS), OF_A_PACKAGE).unwrap();
        named("https://mirror.example").unwrap();
        let settings = fs::read_to_string(build.path().join(SETTINGS)).unwrap();
        assert!(
            settings.contains("\ndistributionUrl=https\\://mirror.example/gradle-8.14-bin.zip\n")
        );
    }
}
