//! Which files of a directory `go build` compiles: by their names and their build constraints
//! (`src/go/build/build.go` in Go, `MatchFile` and `shouldBuild`).

use crate::platform::Platform;

/// Operating systems and architectures that a file's name may end in
/// (`src/internal/syslist/syslist.go`).
const SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
];
const ARCHITECTURES: &[&str] = &[
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "armbe",
    "arm64",
    "arm64be",
    "loong64",
    "mips",
    "mipsle",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];

/// Whether `go build` compiles the file for the platform; none when its constraint cannot be
/// read, or asks what only the compiler knows.
pub(super) fn is_compiled(name: &str, text: &str, platform: Platform) -> Option<bool> {
    if !is_source(name) || !fits(name, platform) {
        return Some(false);
    }
    let header = Header::new(text);
    if !header.build.is_empty() {
        // A second one is an error, which the compiler tells.
        let [expression] = header.build[..] else { return None };
        return Expression::new(expression).evaluate(platform);
    }
    let lines = header.plus_build.iter().map(|line| plus_build(line, platform));
    let lines: Option<Vec<bool>> = lines.collect();
    lines.map(|lines| lines.iter().all(|holds| *holds))
}

/// Whether a file of that name is Go source that is no test.
pub(crate) fn is_source(name: &str) -> bool {
    name.strip_suffix(".go")
        .is_some_and(|stem| !stem.ends_with("_test") && !name.starts_with(['.', '_']))
}

/// Whether the name's ending, as in `file_windows.go`, is that of the platform.
fn fits(name: &str, platform: Platform) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    // The first word is not an ending, whatever it is.
    let words: Vec<&str> = stem.split('_').skip(1).collect();
    match words[..] {
        [.., system, architecture]
            if SYSTEMS.contains(&system) && ARCHITECTURES.contains(&architecture) =>
        {
            system == platform.os() && architecture == platform.architecture()
        }
        [.., word] if SYSTEMS.contains(&word) => word == platform.os(),
        [.., word] if ARCHITECTURES.contains(&word) => word == platform.architecture(),
        _ => true,
    }
}

/// The constraints before the package clause.
#[derive(Default)]
struct Header<'a> {
    build: Vec<&'a str>,
    plus_build: Vec<&'a str>,
}

impl<'a> Header<'a> {
    /// `parseFileHeader` in `build.go`.
    fn new(text: &'a str) -> Self {
        let mut header = Self::default();
        // Lines of the older kind count only with a blank line after them.
        let mut waiting = Vec::new();
        let (mut only_lines, mut in_comment) = (true, false);
        for line in text.trim_start_matches('\u{feff}').lines().map(str::trim) {
            if line.is_empty() && only_lines {
                header.plus_build.append(&mut waiting);
            }
            if !in_comment && line.starts_with("//") {
                header.build.extend(build_line(line));
                waiting.extend(plus_build_line(line));
                continue;
            }
            only_lines &= line.is_empty();
            if !is_comment(line, &mut in_comment) {
                break;
            }
        }
        header
    }
}

/// Whether there is nothing but comments in a line, the last of which may go on.
fn is_comment(line: &str, in_comment: &mut bool) -> bool {
    let mut rest = line;
    while !rest.is_empty() && !rest.starts_with("//") {
        let ends = if *in_comment { "*/" } else { "/*" };
        match rest.split_once(ends) {
            Some((before, after)) if *in_comment || before.is_empty() => {
                *in_comment = !*in_comment;
                rest = after.trim_start();
            }
            _ => return *in_comment,
        }
    }
    true
}

fn build_line(line: &str) -> Option<&str> {
    line.strip_prefix("//go:build").filter(|rest| rest.starts_with([' ', '\t']))
}

fn plus_build_line(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("//")?.trim_start().strip_prefix("+build")?;
    rest.starts_with([' ', '\t']).then_some(rest)
}

/// A line of the older kind: of the words one, of each word all tags have to hold.
fn plus_build(line: &str, platform: Platform) -> Option<bool> {
    let mut any = false;
    for word in line.split_whitespace() {
        let mut all = true;
        for tag in word.split(',') {
            all &= match tag.strip_prefix('!') {
                Some(tag) => !holds(tag, platform)?,
                None => holds(tag, platform)?,
            };
        }
        any |= all;
    }
    Some(any)
}

/// Whether a tag holds (`matchTag` in `build.go`); none if only the compiler knows, or tells it
/// better: that somebody's code needs cgo.
fn holds(tag: &str, platform: Platform) -> Option<bool> {
    let versioned = [platform.architecture(), "go1", "goexperiment"];
    let is_known = tag != "cgo"
        && tag != "boringcrypto"
        && tag.split_once('.').is_none_or(|(family, _)| !versioned.contains(&family));
    let true_ones = ["unix", "gc", platform.os(), platform.architecture()];
    is_known.then(|| true_ones.contains(&tag))
}

/// A constraint, as far as it was not read.
struct Expression<'a> {
    tokens: Vec<&'a str>,
    next: usize,
}

impl<'a> Expression<'a> {
    fn new(text: &'a str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let is_tag = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
            let length = match rest.find(|c| !is_tag(c)) {
                Some(0) if rest.starts_with("&&") || rest.starts_with("||") => 2,
                Some(0) => rest.chars().next().map_or(1, char::len_utf8),
                Some(length) => length,
                None => rest.len(),
            };
            let (token, more) = rest.split_at(length);
            tokens.push(token);
            rest = more.trim_start();
        }
        Self { tokens, next: 0 }
    }

    fn evaluate(mut self, platform: Platform) -> Option<bool> {
        let value = self.or(platform)?;
        (self.next == self.tokens.len()).then_some(value)
    }

    fn or(&mut self, platform: Platform) -> Option<bool> {
        let mut value = self.and(platform)?;
        while self.take("||") {
            value |= self.and(platform)?;
        }
        Some(value)
    }

    fn and(&mut self, platform: Platform) -> Option<bool> {
        let mut value = self.not(platform)?;
        while self.take("&&") {
            value &= self.not(platform)?;
        }
        Some(value)
    }

    fn not(&mut self, platform: Platform) -> Option<bool> {
        // Deeper than anybody writes: what is read here was written by anybody.
        if self.next > 1000 {
            return None;
        }
        if self.take("!") {
            return self.not(platform).map(|value| !value);
        }
        if self.take("(") {
            let value = self.or(platform)?;
            return self.take(")").then_some(value);
        }
        let tag = *self.tokens.get(self.next)?;
        self.next += 1;
        let is_tag = tag.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if is_tag { holds(tag, platform) } else { None }
    }

    fn take(&mut self, token: &str) -> bool {
        let is_next = self.tokens.get(self.next) == Some(&token);
        self.next += usize::from(is_next);
        is_next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(name: &str, text: &str) -> Option<bool> {
        is_compiled(name, text, Platform::LinuxAmd64)
    }

    #[test]
    fn names() {
        for (name, is) in [
            ("main.go", true),
            ("linux.go", true),
            ("a_linux.go", true),
            ("a_linux_amd64.go", true),
            ("a_b_unix.go", true),
            ("a_windows.go", false),
            ("a_linux_arm64.go", false),
            ("a_test.go", false),
            ("_a.go", false),
            (".a.go", false),
            ("a.txt", false),
        ] {
            assert_eq!(compiled(name, "package main\n"), Some(is), "{name}");
        }
    }

    #[test]
    fn constraints() {
        for (constraint, is) in [
            ("//go:build ignore\n", Some(false)),
            ("// About.\n\n//go:build linux && !ignore\n", Some(true)),
            ("/* a\n//go:build ignore\n*/\n", Some(true)),
            ("/* a */ /* b\n*/ // c\n//go:build ignore\n", Some(false)),
            ("//go:build (windows || unix) && gc\n", Some(true)),
            ("//go:build !(linux)\n// +build linux\n", Some(false)),
            ("// +build ignore\n", Some(false)),
            ("// +build linux,!ignore windows\n// +build amd64\n", Some(true)),
            ("//go:built ignore\n", Some(true)),
            // A comment on the package is no constraint, and neither is what follows.
            ("// +build ignore", Some(true)),
            ("/**/\n// +build ignore\n", Some(true)),
            ("package main\n//go:build ignore\n", Some(true)),
            ("/**/ package main\n//go:build ignore\n", Some(true)),
            // What is the compiler's to tell.
            ("//go:build cgo\n", None),
            ("//go:build !go1.20\n", None),
            ("// +build amd64.v1\n", None),
            ("//go:build linux &&\n", None),
            ("//go:build linux windows\n", None),
            ("//go:build linux\n//go:build ignore\n", None),
        ] {
            let text = format!("{constraint}\npackage main\n");
            assert_eq!(compiled("a.go", &text), is, "{constraint}");
        }
        let deep = format!("//go:build {}linux", "!".repeat(100_000));
        assert_eq!(compiled("a.go", &deep), None);
    }
}
