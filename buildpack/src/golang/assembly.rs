//! Whether assembly is made of its own package's files alone. Go's assembler includes any file that
//! its user can read (`cmd/asm/internal/lex/input.go`): a credential, or what is another file in the
//! next build.

use std::fs;
use std::io;
use std::path::Path;

/// What includes a file.
const DIRECTIVE: &[u8] = b"include";

/// Whether the files of a package name no file of elsewhere.
pub(super) fn is_of_its_own(package: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(package)? {
        let entry = entry?;
        // Whatever it is called: it may be included, and include more.
        if entry.file_type()?.is_file() && includes_others(&fs::read(entry.path())?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a directive in the text may name a file that is not beside it, or of the toolchain.
fn includes_others(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| {
        let directives = line.windows(DIRECTIVE.len()).enumerate();
        directives.filter(|(_, word)| *word == DIRECTIVE).any(|(at, _)| {
            let rest = &line[at + DIRECTIVE.len()..];
            let mut quoted = rest.split(|byte| *byte == b'"').skip(1);
            quoted.next().is_some_and(|name| !is_plain(name))
        })
    })
}

/// Whether it is the name of a file in a directory that is searched, and of none elsewhere.
fn is_plain(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_elsewhere() {
        for (text, others) in [
            ("#include \"textflag.h\"\nTEXT ·f(SB),NOSPLIT,$0\n", false),
            ("// include what is in \"go_asm.h\" // x/y\n", false),
            ("#include \"/selvedge-credentials/.netrc\"\n", true),
            ("#include \"../other/x.h\"\n", true),
            ("#include \"textflag.h\"\n#/**/include/**/ \"/etc/passwd\"\n", true),
            ("#include \"\\x2fetc\\x2fpasswd\"\n", true),
            ("#include\n\"/etc/passwd\"\n", false),
        ] {
            assert_eq!(includes_others(text.as_bytes()), others, "{text}");
        }
    }

    #[test]
    fn of_all_files_of_a_package() {
        let package = tempfile::tempdir().unwrap();
        fs::create_dir(package.path().join("testdata")).unwrap();
        fs::write(package.path().join("a.s"), "#include \"b.txt\"\n").unwrap();
        assert!(is_of_its_own(package.path()).unwrap());
        fs::write(package.path().join("b.txt"), "#include \"/etc/passwd\"\n").unwrap();
        assert!(!is_of_its_own(package.path()).unwrap());
    }
}
