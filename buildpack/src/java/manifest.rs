//! What a jar says of itself (`JAR File Specification`, "JAR Manifest").

use std::borrow::Cow;

/// The name of the attribute by which a jar names others that belong to its class path, by paths from
/// where it lies.
const CLASS_PATH: &str = "Class-Path";

/// The attributes that say how a jar is to be read.
const OF_ANY_JAR: [&str; 2] = ["Manifest-Version", "Multi-Release"];

/// The most of a manifest that is understood, in bytes.
pub(super) const MOST_MANIFEST: u64 = 1 << 20;

/// The longest line, in bytes, without its end.
const LONGEST_LINE: usize = 72;

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    text: String,
    /// Whether that is all of it: old tools cut lines in the middle of characters, and what is too
    /// large is not read to its end.
    whole: bool,
}

impl Manifest {
    /// Takes it as it is in a jar.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let whole = matches!(text, Cow::Borrowed(_)) && bytes.len() as u64 <= MOST_MANIFEST;
        Self { text: text.replace("\r\n", "\n").replace('\r', "\n"), whole }
    }

    /// Whether it can be written with a change.
    pub(super) fn can_change(&self) -> bool {
        self.whole
    }

    /// The class that the jar is started by, if it names one.
    pub(super) fn main_class(&self) -> Option<String> {
        value_of(&unfolded(self.sections().0), "Main-Class").filter(|class| !class.is_empty())
    }

    /// Whether it seals a package: all classes of one have to be of one jar then.
    pub(super) fn seals(&self) -> bool {
        let lines = unfolded(&self.text);
        lines.iter().filter_map(|line| named(line, "Sealed")).any(|sealed| sealed != "false")
    }

    /// The same with another jar in front of those that it names.
    pub(super) fn with_class_path(&self, first: &str) -> String {
        let (main, rest) = self.sections();
        let lines = unfolded(main);
        let path = match value_of(&lines, CLASS_PATH) {
            Some(others) => format!("{CLASS_PATH}: {first} {others}"),
            None => format!("{CLASS_PATH}: {first}"),
        };
        let others = lines.into_iter().filter(|line| named(line, CLASS_PATH).is_none());
        let main: String = others.chain([path]).map(|line| folded(&line)).collect();
        format!("{main}\n{rest}")
    }

    /// What of it is said of the jars that it was put together of: how to read it, and the sections
    /// about single entries. What the project says of itself, its version for one, changes with it.
    pub(super) fn of_dependencies(&self) -> String {
        let (main, rest) = self.sections();
        let lines = unfolded(main).into_iter();
        let kept = lines.filter(|line| OF_ANY_JAR.iter().any(|name| named(line, name).is_some()));
        let main: String = kept.map(|line| folded(&line)).collect();
        format!("{main}\n{rest}")
    }

    /// The main section, and what is behind the line that ends it.
    fn sections(&self) -> (&str, &str) {
        self.text.split_once("\n\n").unwrap_or((&self.text, ""))
    }
}

/// Lines as they were before the long ones were cut.
fn unfolded(text: &str) -> Vec<String> {
    text.replace("\n ", "").lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// A line with its end, cut where it is too long.
fn folded(line: &str) -> String {
    let (mut text, mut length) = (String::new(), 0);
    for character in line.chars() {
        if length + character.len_utf8() > LONGEST_LINE {
            text.push_str("\n ");
            length = 1;
        }
        text.push(character);
        length += character.len_utf8();
    }
    text + "\n"
}

/// The value of the last attribute of a name.
fn value_of(lines: &[String], name: &str) -> Option<String> {
    lines.iter().filter_map(|line| named(line, name)).next_back().map(str::to_owned)
}

/// The value of an attribute, if it has this name.
fn named<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (found, value) = line.split_once(':')?;
    found.eq_ignore_ascii_case(name).then(|| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Manifest {
        Manifest::parse(text.as_bytes())
    }

    #[test]
    fn what_it_is_started_by() {
        for (text, class) in [
            ("Manifest-Version: 1.0\nMain-Class: a.B\n", Some("a.B")),
            (
                "Manifest-Version: 1.0\r\nmain-class: org.hyper\r\n ledger.B\r\n\r\n",
                Some("org.hyperledger.B"),
            ),
            ("Manifest-Version: 1.0\n\nName: a\nMain-Class: a.B\n", None),
            ("Main-Class: \n", None),
            ("", None),
        ] {
            assert_eq!(manifest(text).main_class().as_deref(), class, "{text:?}");
        }
        let cut = Manifest::parse(b"X: \xc3\n \xa4\nMain-Class: a.B\n");
        assert_eq!((cut.main_class().as_deref(), cut.can_change()), (Some("a.B"), false));
        let started = "Main-Class: a.B\n\n";
        let most = (1 << 20) - started.len();
        let large = |more: usize| manifest(&format!("{started}{}", "\n".repeat(most + more)));
        assert!(large(0).can_change() && !large(1).can_change());
    }

    #[test]
    fn what_it_seals() {
        for (text, seals) in [
            ("Manifest-Version: 1.0\nSealed: true\n", true),
            ("Manifest-Version: 1.0\n\nName: a/\nsealed: tr\n ue\n", true),
            ("Manifest-Version: 1.0\nSealed: false\nX-Sealed: true\n", false),
        ] {
            assert_eq!(manifest(text).seals(), seals, "{text:?}");
        }
    }

    #[test]
    fn what_dependencies_keep_of_it() {
        let all = "Manifest-Version: 1.0\r\nMain-Class: a.B\r\nmulti-release: tr\r\n ue\r\n\
                   Class-Path: lib/a.jar\r\nImplementation-Version: 1\r\n\r\nName: b/\r\nX: y\r\n";
        let kept = "Manifest-Version: 1.0\nmulti-release: true\n\nName: b/\nX: y\n";
        assert_eq!(manifest(all).of_dependencies(), kept);
        assert_eq!(manifest("Main-Class: a.B").of_dependencies(), "\n");
    }

    #[test]
    fn another_jar_in_front() {
        let with = |text: &str| manifest(text).with_class_path("lib/a.jar");
        assert_eq!(
            with("Manifest-Version: 1.0\r\nMain-Class: a.B\r\n\r\nName: a/\r\nX: y\r\n"),
            "Manifest-Version: 1.0\nMain-Class: a.B\nClass-Path: lib/a.jar\n\nName: a/\nX: y\n"
        );
        assert_eq!(with("Main-Class: a.B"), "Main-Class: a.B\nClass-Path: lib/a.jar\n\n");
        let others = format!("Class-Path: lib/{} \n b.jar\nMain-Class: a.B\n\n", "x".repeat(60));
        let told = with(&others);
        assert!(told.lines().all(|line| line.len() <= LONGEST_LINE), "{told}");
        let path = format!("lib/a.jar lib/{} b.jar", "x".repeat(60));
        assert_eq!(value_of(&unfolded(&told), CLASS_PATH), Some(path));
        assert_eq!(manifest(&told).main_class().as_deref(), Some("a.B"));
        // No character is cut.
        let text = format!("Main-Class: {}", "ä".repeat(70));
        assert_eq!(manifest(&with(&text)).main_class().unwrap(), "ä".repeat(70));
    }
}
