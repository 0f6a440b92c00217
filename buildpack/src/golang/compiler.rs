//! What a failed `go build` has to say to the person who installed the chaincode.

use std::path::Path;

/// The most lines worth showing: the first error is the cause of most that follow.
const MOST_LINES: usize = 5;

/// The longest line, in characters; the peer's log is for people.
const LONGEST_LINE: usize = 500;

/// What somebody needs to know whose modules cannot be downloaded: `GOENV=off` hides the settings
/// of `go env -w`, by which it may work for that person everywhere else.
pub(super) const DOWNLOADS: &str = "modules come from where GOPROXY says, private ones as GOPRIVATE says: \
                         set these in the environment of `selvedge` or of the launcher, for builds \
                         in a cluster in `builds.environment` of the operator's file; settings made \
                         with `go env -w` are not read";

/// By which words Go says that a module could not be downloaded
/// (`src/cmd/go/internal/modfetch`, `internal/web`, `internal/vcs`).
const NOT_DOWNLOADED: &[&str] = &[
    ": Get \"http",
    "reading http",
    "git ls-remote",
    "git fetch",
    "module lookup disabled by GOPROXY",
    "unrecognized import path",
    "unknown revision",
];

/// How Go says in a GOPATH that a package is not there (`src/go/build/build.go`, `Import`).
const NOT_IN_GOPATH: &str = " in any of:";

/// What somebody needs to know whose package lacks what its code needs.
const GOPATH: &str = "the package was made as from a GOPATH, where nothing is fetched: package the \
                      chaincode again where all that it imports is there, or as a module, by its \
                      directory with a go.mod";

/// What Go says for want of a C compiler (`src/cmd/go/internal/work/exec.go`,
/// `src/cmd/cgo/gcc.go`).
const NO_C_COMPILER: &str = "C compiler \"gcc\" not found";

/// What stands before the directory of a package without a file for this build.
const EXCLUDED: &str = "build constraints exclude all Go files in ";

/// The first lines of the output of `go build` that tell what is wrong, at most five; and one on
/// what to do if a module could not be downloaded, or a GOPATH lacks a package.
///
/// Progress (`go: downloading …`) and headings (`# package`) are left out. If no line looks like
/// an error, the last lines are returned.
pub(super) fn first_errors(output: &str) -> Vec<String> {
    let mut errors = lines_of_errors(output);
    let says = |words: &&str| errors.iter().any(|line| line.contains(*words));
    if NOT_DOWNLOADED.iter().any(says) {
        errors.push(DOWNLOADS.to_owned());
    } else if says(&NOT_IN_GOPATH) {
        errors.push(GOPATH.to_owned());
    }
    errors
}

/// A file with C: of those that the recipe's question `listed`, the first whose package the compiler
/// complains of in its `output`, or else the last, which is the nearest to the chaincode.
pub(super) fn file_with_c(listed: &str, output: &str, directory: &Path) -> Option<String> {
    let lines = listed.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let files: Vec<(bool, &str)> = lines
        .filter_map(|line| match line[..] {
            [path, name, place, file] => Some((is_missed(output, path, name, place), file)),
            _ => None,
        })
        .collect();
    let missed = files.iter().find(|(is_missed, _)| *is_missed);
    let (_, file) = missed.or(files.last())?;
    let file = Path::new(file).strip_prefix(directory).unwrap_or(Path::new(file));
    Some(shown(&file.to_string_lossy()))
}

/// What somebody needs to know whose code has C in it, where nothing compiles C.
pub(super) fn without_c_compiler(output: &str, file: &str) -> Option<String> {
    output.contains(NO_C_COMPILER).then(|| {
        format!(
            "{file} imports \"C\", and there is no C compiler: use a package that is all Go, or \
             install gcc where `go` is, with a C library to link statically (Debian: gcc \
             libc6-dev); for builds in a cluster, in the image of `builds.toolchains.go` in the \
             operator's file"
        )
    })
}

/// Whether what the package lacks without cgo is what the compiler misses: in the package itself,
/// in one that uses it, or all of it.
fn is_missed(output: &str, path: &str, name: &str, directory: &str) -> bool {
    let heading = format!("# {path}");
    let used = format!(": undefined: {name}.");
    output.lines().any(|line| {
        line == heading
            || line.contains(&used)
            || line.split_once(EXCLUDED).is_some_and(|(_, place)| place.trim() == directory)
    })
}

fn lines_of_errors(output: &str) -> Vec<String> {
    let lines: Vec<&str> = output
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && !is_progress(line))
        .collect();
    let first = lines.iter().position(|line| is_error(line));
    let start = first.unwrap_or_else(|| lines.len().saturating_sub(MOST_LINES));
    lines[start..]
        .iter()
        .filter(|line| !line.starts_with("# "))
        .take(MOST_LINES)
        .map(|line| shown(line))
        .collect()
}

fn is_progress(line: &str) -> bool {
    ["go: downloading ", "go: finding ", "go: extracting ", "go: added ", "go: upgraded "]
        .iter()
        .any(|start| line.starts_with(start))
}

/// `file.go:line:column: …`, a complaint of the go command itself, or one of a C compiler.
fn is_error(line: &str) -> bool {
    let of_c = [": error: ", ": fatal error: "].iter().any(|word| line.contains(word));
    let positioned = line
        .split_once(".go:")
        .is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
    let complaint = ["go: ", "go.mod:", "package ", "no required module", "build ", "link: "]
        .iter()
        .any(|start| line.starts_with(start));
    positioned || complaint || of_c
}

fn shown(line: &str) -> String {
    line.replace('\t', "    ").chars().filter(|c| !c.is_control()).take(LONGEST_LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_first_error() {
        let output = "go: downloading example.com/x v1.0.0\n# example.com/asset\n\
                      ./main.go:7:2: undefined: fmt\n./main.go:9:1: missing return\n";
        assert_eq!(
            first_errors(output),
            ["./main.go:7:2: undefined: fmt", "./main.go:9:1: missing return"]
        );
    }

    #[test]
    fn the_go_commands_own_complaint() {
        let output = "go: downloading a v1\nmain.go:4:2: no required module provides package a; \
                      to add it:\n\tgo get a\n";
        assert_eq!(first_errors(output)[1], "    go get a");
        let too_old = "go: go.mod requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)\n";
        assert_eq!(first_errors(too_old), [too_old.trim_end()]);
    }

    #[test]
    fn what_cannot_be_downloaded() {
        for line in [
            "go: example.com/a@v1.0.0: Get \"https://proxy.golang.org/a\": dial tcp: no such host",
            "main.go:4:2: reading https://example.com/a/@v/v1.0.0.zip: 404 Not Found",
            "go: example.com/a@v1.0.0: git ls-remote -q origin: exit status 128:",
            "main.go:3:8: module lookup disabled by GOPROXY=off",
        ] {
            let told = first_errors(line);
            assert_eq!(told[0], line);
            assert!(told[1].contains("GOPROXY") && told[1].contains("`go env -w` are not read"));
        }
        assert_eq!(first_errors("./main.go:7:2: undefined: fmt\n").len(), 1);
    }

    #[test]
    fn the_file_with_c() {
        let own = "example.com/asset\tmain\t/work/src\t/work/src/twice.go\n";
        let pkcs11 = "github.com/miekg/pkcs11\tpkcs11\t/mod/pkcs11\tgithub.com/miekg/pkcs11/p.go\n";
        let listed = [pkcs11, own].concat();
        for (output, file) in [
            ("# example.com/asset\n./main.go:3:1: undefined: twice\n", "twice.go"),
            ("# x\nx.go:1:1: undefined: pkcs11.Ctx\n", "github.com/miekg/pkcs11/p.go"),
            (
                "main.go:4:2: build constraints exclude all Go files in /mod/pkcs11\n",
                "github.com/miekg/pkcs11/p.go",
            ),
            ("runtime.main_main·f: function main is undeclared in the main package\n", "twice.go"),
        ] {
            let found = file_with_c(&listed, output, Path::new("/work/src"));
            assert_eq!(found.as_deref(), Some(file), "{output}");
        }
        assert_eq!(file_with_c("", "# x\nx.go:1:1: undefined: twice\n", Path::new("/")), None);
    }

    #[test]
    fn what_a_c_compiler_says_first() {
        let output = "# example.com/asset\nf.c: In function 'twice':\nf.c:1:3: error: one\n\
                      f.c:2:3: error: two\nf.c:3:3: note: three\n";
        assert_eq!(first_errors(output)[0], "f.c:1:3: error: one");
    }

    #[test]
    fn nothing_to_compile_c_with() {
        let output = "cgo: C compiler \"gcc\" not found: exec: \"gcc\": executable file not found";
        let told = without_c_compiler(output, "twice.go").unwrap();
        assert!(told.starts_with("twice.go imports \"C\", and there is no C compiler"), "{told}");
        assert_eq!(without_c_compiler("twice.go:3:10: fatal error: pkcs11.h", "twice.go"), None);
    }

    #[test]
    fn otherwise_the_last_lines() {
        assert_eq!(first_errors("one\n\ntwo\n"), ["one", "two"]);
        assert_eq!(first_errors(""), Vec::<String>::new());
        assert_eq!(first_errors(&"x".repeat(9000))[0].len(), LONGEST_LINE);
    }
}
