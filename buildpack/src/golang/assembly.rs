//! Whether assembly is made of its own package's files alone. Go's assembler includes any file that
//! its user can read (`cmd/asm/internal/lex/input.go`): a credential, or what is another file in the
//! next build.

use std::fs;
use std::io;
use std::path::Path;

/// What includes a file.
const DIRECTIVE: &[u8] = b"include";

/// Whether the assembly of a package, and what that includes of the package, names no file of
/// elsewhere.
pub(super) fn is_of_its_own(package: &Path) -> io::Result<bool> {
    let mut names = Vec::new();
    for entry in fs::read_dir(package)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|kind| kind == "s") {
            names.push(name);
        }
    }
    let mut read = 0;
    while let Some(name) = names.get(read) {
        let file = package.join(name);
        read += 1;
        // One of the toolchain's has the same name wherever it is.
        if !file.is_file() {
            continue;
        }
        let text = fs::read(file)?;
        for name in included(&text) {
            if !is_plain(name) {
                return Ok(false);
            }
            let name = String::from_utf8_lossy(name).into_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    Ok(true)
}

/// What may be the names in directives of a text: more than there are, rather than less.
fn included(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').flat_map(|line| {
        let directives = line.windows(DIRECTIVE.len()).enumerate();
        directives.filter(|(_, word)| *word == DIRECTIVE).filter_map(|(at, _)| {
            let rest = &line[at + DIRECTIVE.len()..];
            rest.split(|byte| *byte == b'"').nth(1)
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
            let has = included(text.as_bytes()).any(|name| !is_plain(name));
            assert_eq!(has, others, "{text}");
        }
    }

    #[test]
    fn of_what_is_assembled_alone() {
        let package = tempfile::tempdir().unwrap();
        fs::write(package.path().join("mkerrors.sh"), "echo '#include \"/x\"'\n").unwrap();
        fs::write(package.path().join("a.s"), "#include \"b.txt\"\n").unwrap();
        assert!(is_of_its_own(package.path()).unwrap());
        fs::write(package.path().join("b.txt"), "#include \"/etc/passwd\"\n").unwrap();
        assert!(!is_of_its_own(package.path()).unwrap());
    }
}
