//! Which files `//go:embed` puts into a program (Go's `src/cmd/go/internal/load/pkg.go`,
//! `resolveEmbed`).

use std::fs;
use std::path::Path;

use walkdir::WalkDir;

use super::{GoChaincodeError, is_source, unquoted};

/// Names of version control, which Go embeds under no pattern.
const NEVER: &[&str] = &[".bzr", ".git", ".hg", ".svn"];

/// All patterns of a module. Those of files that no build compiles count, too: what they name
/// does no harm.
#[derive(Clone, Debug, Default)]
pub(crate) struct Embeds(Vec<Pattern>);

/// What one pattern of a directive says.
#[derive(Clone, Debug)]
struct Pattern {
    /// The directory of the file that has it, below the module's; empty for that.
    directory: String,
    parts: Vec<Vec<char>>,
    /// Whether hidden files of directories count.
    all: bool,
}

impl Embeds {
    /// The patterns in all Go source below `root`.
    pub(crate) fn below(root: &Path) -> Result<Self, GoChaincodeError> {
        let mut embeds = Self::default();
        let is_hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
        let walk = WalkDir::new(root).min_depth(1).into_iter();
        for entry in walk.filter_entry(|entry| !is_hidden(entry.file_name())) {
            let entry = entry.map_err(|error| GoChaincodeError::Read {
                path: error.path().unwrap_or(root).to_owned(),
                source: error.into(),
            })?;
            if !is_source(&entry.file_name().to_string_lossy()) || !entry.path().is_file() {
                continue;
            }
            let path = entry.path();
            let text = fs::read(path)
                .map_err(|source| GoChaincodeError::Read { path: path.to_owned(), source })?;
            let directory = path.parent().and_then(|parent| parent.strip_prefix(root).ok());
            let directory = directory.unwrap_or(Path::new("")).to_string_lossy();
            embeds.add(&directory, &String::from_utf8_lossy(&text));
        }
        Ok(embeds)
    }

    /// Adds the patterns of one file's `text` in the `directory` of the module.
    fn add(&mut self, directory: &str, text: &str) {
        let directives = text.lines().filter_map(|line| {
            line.strip_prefix("//go:embed").filter(|rest| rest.starts_with([' ', '\t']))
        });
        for word in directives.flat_map(words) {
            let (all, glob) = match word.strip_prefix("all:") {
                Some(glob) => (true, glob),
                None => (false, word.as_str()),
            };
            let parts = match glob {
                "." => Vec::new(),
                _ => glob.split('/').map(|part| part.chars().collect()).collect(),
            };
            self.0.push(Pattern { directory: directory.to_owned(), parts, all });
        }
    }

    /// Whether some pattern takes the file at `path` below the module's directory.
    pub(crate) fn take(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| pattern.takes(path))
    }

    /// Whether some pattern may take a file below the directory at `path`.
    pub(crate) fn reach(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| pattern.reaches(path))
    }
}

impl Pattern {
    fn takes(&self, path: &str) -> bool {
        let Some(parts) = self.below(path) else { return false };
        parts.len() >= self.parts.len() && self.agrees(&parts)
    }

    fn reaches(&self, path: &str) -> bool {
        self.below(path).is_some_and(|parts| self.agrees(&parts))
    }

    /// The path as the pattern sees it.
    fn below<'a>(&self, path: &'a str) -> Option<Vec<&'a str>> {
        let below = match self.directory.as_str() {
            "" => path,
            directory => path.strip_prefix(directory)?.strip_prefix('/')?,
        };
        Some(below.split('/').collect())
    }

    /// What the pattern names, it takes; of what lies below a directory that it names, the hidden
    /// files only by `all:`.
    fn agrees(&self, parts: &[&str]) -> bool {
        let (named, below) = parts.split_at(self.parts.len().min(parts.len()));
        named.iter().zip(&self.parts).all(|(name, glob)| matches(glob, name))
            && (self.all || !below.iter().any(|part| part.starts_with(['.', '_'])))
            && !parts.iter().any(|part| NEVER.contains(part))
    }
}

/// The patterns of a directive, which Go's quotes may be around.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' | '`' => rest[1..].find(first).map(|end| end + 2),
            _ => rest.find(char::is_whitespace),
        };
        let (word, more) = rest.split_at(end.unwrap_or(rest.len()));
        words.push(unquoted(word));
        rest = more.trim_start();
    }
    words
}

/// Whether a name matches a pattern without `/`, by the rules of Go's `path.Match`. Those of the
/// shell, which crates follow, differ in braces, negation and what a backslash is.
fn matches(glob: &[char], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut next) = (0, 0);
    // Where the last `*` was, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if glob.get(at) == Some(&'*') {
            star = Some((at, next));
            at += 1;
        } else if let Some(length) = name.get(next).and_then(|c| one(&glob[at..], *c)) {
            at += length;
            next += 1;
        } else if at == glob.len() && next == name.len() {
            return true;
        } else if let Some((star_at, taken)) = star.filter(|(_, taken)| *taken < name.len()) {
            star = Some((star_at, taken + 1));
            (at, next) = (star_at + 1, taken + 1);
        } else {
            return false;
        }
    }
}

/// How many characters of the pattern stand for the one character `c`, if they do.
fn one(glob: &[char], c: char) -> Option<usize> {
    match glob {
        ['?', ..] => Some(1),
        ['\\', escaped, ..] => (*escaped == c).then_some(2),
        ['[', class @ ..] => {
            let end = class.iter().position(|c| *c == ']')?;
            in_class(&class[..end], c).then_some(end + 2)
        }
        [plain, ..] => (*plain == c).then_some(1),
        [] => None,
    }
}

fn in_class(class: &[char], c: char) -> bool {
    let (negated, mut rest) = match class {
        ['^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    while !rest.is_empty() {
        let (low, high, more) = match rest {
            [low, '-', high, more @ ..] => (low, high, more),
            ['\\', escaped, more @ ..] => (escaped, escaped, more),
            [only, more @ ..] => (only, only, more),
            [] => break,
        };
        found |= (low..=high).contains(&&c);
        rest = more;
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embeds(directory: &str, line: &str) -> Embeds {
        let mut embeds = Embeds::default();
        embeds.add(directory, &format!("package main\n\n{line}\nvar a string\n"));
        embeds
    }

    #[test]
    fn what_a_pattern_takes() {
        for (line, path, takes) in [
            ("//go:embed .defaults.json", ".defaults.json", true),
            ("//go:embed .defaults.json", ".env", false),
            ("//go:embed .defaults.json", "deeper/.defaults.json", false),
            ("//go:embed a.txt `.b c` \".d\"", ".b c", true),
            ("//go:embed a.txt `.b c` \".d\"", ".d", true),
            ("//go:embed all:templates", "templates/.note.txt", true),
            ("//go:embed all:templates", "templates/.x/deeper", true),
            ("//go:embed all:templates", "templates/.git/config", false),
            ("//go:embed all:.", ".env", true),
            ("//go:embed templates", "templates/.note.txt", false),
            ("//go:embed templates/*", "templates/.note.txt", true),
            ("//go:embed templates/*", "templates/deeper/.note.txt", false),
            ("//go:embed .config", ".config/a", true),
            ("//go:embed .[a-d]o[^t]?\\*", ".conf*", true),
            ("//go:embed .[a-d]o[^t]?\\*", ".coti*", false),
            ("//go:embedded .a", ".a", false),
            ("// //go:embed .a", ".a", false),
        ] {
            assert_eq!(embeds("", line).take(path), takes, "{line}: {path}");
        }
        let below = embeds("cmd/a", "//go:embed .x");
        assert!(below.take("cmd/a/.x"));
        assert!(!below.take(".x") && !below.take("cmd/ab/.x"));
    }

    #[test]
    fn where_a_pattern_reaches() {
        assert!(embeds("", "//go:embed .a/*/c").reach(".a/b"));
        assert!(!embeds("", "//go:embed .a/*/c").take(".a/b"));
        assert!(!embeds("", "//go:embed .a/*/c").reach(".b"));
        assert!(!embeds("", "//go:embed all:.").reach(".git"));
        assert!(!embeds("", "//go:embed a").reach("a/.b"));
    }

    #[test]
    fn stars_do_not_take_for_ever() {
        let glob: Vec<char> = "*a".repeat(50).chars().chain(['b']).collect();
        assert!(!matches(&glob, &"a".repeat(250)));
        assert!(matches(&"*a*b*".chars().collect::<Vec<_>>(), "xxaxxbxx"));
    }
}
