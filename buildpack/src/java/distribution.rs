//! Where Gradle's wrapper fetches Gradle from: its package says Gradle's own server, in whose place
//! whoever builds may have named a mirror
//! (<https://docs.gradle.org/current/userguide/gradle_wrapper.html>). Which Gradle it is, and the
//! SHA-256 that it is to have (`distributionSha256Sum`), stay what the package says.

use std::fs;
use std::io;
use std::path::Path;

use percent_encoding::percent_decode_str;
use url::Url;

use super::untrusted_file::read;
use crate::recipe::Toolchain;

/// The variable that names a mirror: the address of the directory that holds `gradle-8.14-bin.zip` and
/// others. Gradle itself knows none.
const VARIABLE: &str = "SELVEDGE_GRADLE_DISTRIBUTIONS";

/// The wrapper's settings, and what of them is the address.
const SETTINGS: &str = "gradle/wrapper/gradle-wrapper.properties";
const ADDRESS: &str = "distributionUrl";

/// The most that the settings may have, in bytes.
const MOST_SETTINGS: u64 = 64 << 10;

/// What Java takes for white space in a file of properties.
const WHITE: [char; 3] = [' ', '\t', '\x0c'];

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
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{SETTINGS}: {error}"));
    let settings = read(&file, MOST_SETTINGS).map_err(named)?;
    match asking(&settings, &mirror) {
        Some(settings) => fs::write(file, settings).map_err(named),
        None => Ok(()),
    }
}

/// The address of a directory.
fn mirror(text: &str) -> Option<Url> {
    let mut url: Url = text.parse().ok()?;
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() {
        return None;
    }
    url.set_fragment(None);
    url.path_segments_mut().ok()?.pop_if_empty();
    Some(url)
}

/// The settings with the mirror in place of Gradle's own server; none if they name another one.
fn asking(settings: &[u8], mirror: &Url) -> Option<Vec<u8>> {
    // Files of properties are ISO 8859-1: each byte is a character.
    let settings: String = settings.iter().copied().map(char::from).collect();
    let mut lines: Vec<&str> = settings.split_inclusive('\n').collect();
    let (number, value) = address(&lines)?;
    let url: Url = value.parse().ok()?;
    if !url.host_str().is_some_and(|host| OWN.contains(&host)) {
        return None;
    }
    let file = url.path_segments()?.next_back().filter(|file| !file.is_empty())?;
    let file = percent_decode_str(file).decode_utf8().ok()?;
    let mut address = mirror.clone();
    address.path_segments_mut().ok()?.push(&file);
    // What a file of properties would take for the end of the key.
    let asking = format!("{ADDRESS}={}\n", address.as_str().replace(':', "\\:"));
    lines[number] = &asking;
    lines.concat().chars().map(|character| u8::try_from(character).ok()).collect()
}

/// The line that has the address, and the address; none where that goes on in the next line. What is
/// said last counts (`java.util.Properties`, `load`).
fn address(lines: &[&str]) -> Option<(usize, String)> {
    let mut found = None;
    let mut goes_on = false;
    for (number, line) in lines.iter().enumerate() {
        let line = line.trim_end_matches(['\r', '\n']);
        let is_comment = !goes_on && line.trim_start_matches(WHITE).starts_with(['#', '!']);
        let value = if goes_on { None } else { value(line) };
        goes_on = !is_comment && goes_on_after(line);
        if let Some(value) = value {
            found = (!goes_on).then(|| (number, value.trim_end_matches(WHITE).replace('\\', "")));
        }
    }
    found
}

/// Whether the next line belongs to a line: two backslashes are one that is meant.
fn goes_on_after(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// What follows the key in the line that has the address.
fn value(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(WHITE).strip_prefix(ADDRESS)?;
    let value = rest.trim_start_matches(WHITE);
    let value = match value.strip_prefix(['=', ':']) {
        Some(value) => value.trim_start_matches(WHITE),
        // White space alone separates them, too; without any it is another key.
        None if value.len() == rest.len() && !rest.is_empty() => return None,
        None => value,
    };
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_A_PACKAGE: &str = "distributionBase=GRADLE_USER_HOME\n\
        distributionSha256Sum=20f1b1176237254a6fc204d8434196fa11a4cfb387567519c61556e8710aed78\n\
        distributionUrl=https\\://services.gradle.org/distributions/gradle-8.14-bin.zip\n\
        zipStorePath=wrapper/dists\n";

    fn asked(settings: &str, named: &str) -> Option<String> {
        let asking = asking(settings.as_bytes(), &mirror(named).unwrap())?;
        Some(String::from_utf8(asking).unwrap())
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
        for (file, there) in [("a%20b%25.zip", "a%20b%25.zip"), ("data:g.zip", "data\\:g.zip")] {
            let named = format!("distributionUrl \thttps\\://services.gradle.org/{file}\n");
            let told = asked(&named, "http://10.0.0.7/g#f").unwrap();
            assert_eq!(told, format!("distributionUrl=http\\://10.0.0.7/g/{there}\n"));
        }
        for other in [
            "distributionUrl=https\\://services.gradle.org/\\\ng.zip\n",
            "distributionUrls https\\://services.gradle.org/g.zip\n",
            "a=b\\\ndistributionUrl=https\\://services.gradle.org/g.zip\n",
            "distributionUrl=https\\://services.gradle.org/g.zip\ndistributionUrl\n",
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
    fn all_else_stays_as_it_is() {
        let bytes = b"#\xe9 \\\r\n distributionUrl:https://services.gradle.org/g.zip\r\na=\xff\x85";
        let told = asking(bytes, &mirror("http://10.0.0.7").unwrap()).unwrap();
        assert_eq!(told, b"#\xe9 \\\r\ndistributionUrl=http\\://10.0.0.7/g.zip\na=\xff\x85");
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
