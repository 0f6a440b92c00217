//! What the Go files of one directory make up.

use super::constraint::is_compiled;
use crate::platform::Platform;

/// What the files of a directory make up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// A program, or what only the compiler can tell.
    Program,
    /// The package of that name, which is no program.
    Library(String),
    /// Nothing that is compiled for the platform.
    Nothing,
}

impl Contents {
    /// Looks at names and texts of the files in one directory.
    pub(super) fn of(
        files: impl IntoIterator<Item = (String, String)>,
        platform: Platform,
    ) -> Self {
        let mut library = None;
        for (name, text) in files {
            match (is_compiled(&name, &text, platform), package_name(&text)) {
                (Some(false), _) => {}
                (_, None | Some("main")) => return Self::Program,
                (_, Some(package)) => library = Some(package.to_owned()),
            }
        }
        library.map_or(Self::Nothing, Self::Library)
    }
}

/// The package that a Go source file declares; none if it declares it as nobody does.
pub fn package_name(source: &str) -> Option<&str> {
    let mut rest = source.trim_start_matches('\u{feff}');
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n')?.1;
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/")?.1;
        } else {
            let clause = rest.strip_prefix("package")?;
            let name = clause.trim_start_matches([' ', '\t']);
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
            let name = &name[..end.unwrap_or(name.len())];
            return (!name.is_empty() && !clause.starts_with(name)).then_some(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_makes_no_program_of_a_library() {
        let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let generator = file("gen.go", "//go:build ignore\n\npackage main\n");
        let library = file("asset.go", "package asset\n");
        let program = file("main.go", "package main\n");
        let of = |files: Vec<_>| Contents::of(files, Platform::LinuxAmd64);
        assert_eq!(
            of(vec![generator.clone(), library.clone()]),
            Contents::Library("asset".to_owned())
        );
        assert_eq!(of(vec![generator.clone()]), Contents::Nothing);
        let newer = file("new.go", "//go:build go1.99\n\npackage main\n");
        assert_eq!(of(vec![newer, library.clone()]), Contents::Program);
        assert_eq!(of(vec![generator, library, program]), Contents::Program);
    }

    #[test]
    fn package_clause() {
        for (source, name) in [
            ("package main\n", Some("main")),
            ("// c\n/* package x */\n\npackage  chaincode;", Some("chaincode")),
            ("//go:build linux\n\npackage main // c", Some("main")),
            ("packagemain", None),
            ("package /* c */ main", None),
            ("", None),
            ("/* open", None),
        ] {
            assert_eq!(package_name(source), name, "{source}");
        }
    }
}
