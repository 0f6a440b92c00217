//! The two things in a `go.mod` that matter to a package: the module's path, and replacements
//! that point at this machine.

/// What was read from a `go.mod`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoMod {
    /// The module's path.
    pub module: String,
    /// Directories that `replace` directives name.
    pub local_replacements: Vec<String>,
}

impl GoMod {
    /// Reads a `go.mod`; none if it names no module. Words are told apart as by Go
    /// (`golang.org/x/mod/modfile/read.go`): what is overlooked here would be built.
    pub fn parse(text: &str) -> Option<Self> {
        let mut module = None;
        let mut local_replacements = Vec::new();
        let mut block = None;
        for line in text.lines() {
            let mut words = words(line);
            match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                [] => continue,
                [")"] => {
                    block = None;
                    continue;
                }
                [keyword, "("] => {
                    block = Some(keyword.to_owned());
                    continue;
                }
                _ => {}
            }
            let keyword = block.clone().unwrap_or_else(|| words.remove(0));
            match keyword.as_str() {
                "module" => module = words.first().cloned(),
                "replace" => local_replacements.extend(local_target(&words)),
                _ => {}
            }
        }
        Some(Self { module: module?, local_replacements })
    }
}

/// The directory in `old [version] => ./new`.
fn local_target(words: &[String]) -> Option<String> {
    let arrow = words.iter().position(|word| word == "=>")?;
    let target = words.get(arrow + 1)?;
    let starts = ["./", "../", "/", ".\\", "..\\", "\\"];
    let is_drive = target.as_bytes().get(1) == Some(&b':');
    let is_local = starts.iter().any(|start| target.starts_with(start)) || is_drive;
    (is_local || target == ".." || target == ".").then(|| target.clone())
}

/// The words of a line, unquoted, without its comment.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with("//") {
        let first = rest.chars().next().unwrap_or_default();
        let length = match first {
            '"' => quoted_length(rest),
            '`' => rest[1..].find('`').map_or(rest.len(), |end| end + 2),
            '(' | ')' | '[' | ']' | '{' | '}' | ',' => 1,
            _ => plain_length(rest),
        };
        let (word, more) = rest.split_at(length);
        words.push(unquoted(word));
        rest = more.trim_start();
    }
    words
}

fn plain_length(text: &str) -> usize {
    let ends = |(at, c): (usize, char)| {
        c.is_whitespace() || "()[]{},".contains(c) || text[at..].starts_with("//")
    };
    text.char_indices().find(|at| ends(*at)).map_or(text.len(), |(at, _)| at)
}

fn quoted_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// A word of Go without its quotes.
pub(super) fn unquoted(word: &str) -> String {
    let inner = |quote: char| word.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(raw) = inner('`') {
        return raw.to_owned();
    }
    match inner('"') {
        None => word.to_owned(),
        // No path needs an escape: one that has some is taken for one that leads anywhere.
        Some(text) if text.contains('\\') => format!("/{text}"),
        Some(text) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_and_local_replacements() {
        let go_mod = GoMod::parse(
            "// a comment\nmodule \"example.com/asset\" // trailing\n\ngo 1.23\n\
             require (\n\texample.com/x v1.0.0\n)\n\
             replace example.com/x v1.0.0 => ../x\n\
             replace (\n\texample.com/y => ./y\n\texample.com/z => example.com/w v1.0.0\n)\n",
        )
        .unwrap();
        assert_eq!(go_mod.module, "example.com/asset");
        assert_eq!(go_mod.local_replacements, ["../x", "./y"]);
    }

    #[test]
    fn replacements_in_all_their_ways() {
        for (line, target) in [
            ("replace a => /b", "/b"),
            ("replace a => \"/b\"//c", "/b"),
            ("replace a => `/b`", "/b"),
            ("replace a => /b//c", "/b"),
            ("replace a => \"\\x2fb\"", "/\\x2fb"),
            ("replace(\na => ..\n)", ".."),
            ("replace a => C:/b", "C:/b"),
        ] {
            let go_mod = GoMod::parse(&format!("module m\n{line}\n")).unwrap();
            assert_eq!(go_mod.local_replacements, [target], "{line}");
        }
        let commented = GoMod::parse("module m\n// replace a => /b\n").unwrap();
        assert!(commented.local_replacements.is_empty());
    }

    #[test]
    fn no_module_no_answer() {
        assert_eq!(GoMod::parse("go 1.23\n"), None);
    }
}
