//! The two things in a `go.mod` that matter to a package: the module's path, and replacements
//! that point at this machine.

/// What was read from a `go.mod`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoMod {
    /// The module's path.
    pub module: String,
    /// Directories that `replace` directives name, as written.
    pub local_replacements: Vec<String>,
}

impl GoMod {
    /// Reads a `go.mod`; none if it names no module.
    pub fn parse(text: &str) -> Option<Self> {
        let mut module = None;
        let mut local_replacements = Vec::new();
        let mut block = String::new();
        for line in text.lines() {
            let line = line.split("//").next().unwrap_or_default();
            let mut words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [] => continue,
                [")"] => {
                    block.clear();
                    continue;
                }
                [keyword, "("] => {
                    (*keyword).clone_into(&mut block);
                    continue;
                }
                _ => {}
            }
            let keyword = if block.is_empty() { words.remove(0) } else { block.as_str() };
            match keyword {
                "module" => module = words.first().map(|path| unquoted(path).to_owned()),
                "replace" => local_replacements.extend(local_target(&words)),
                _ => {}
            }
        }
        Some(Self { module: module?, local_replacements })
    }
}

/// The directory in `old [version] => ./new`.
fn local_target(words: &[&str]) -> Option<String> {
    let arrow = words.iter().position(|word| *word == "=>")?;
    let target = unquoted(words.get(arrow + 1)?);
    let local = ["./", "../", "/"].iter().any(|start| target.starts_with(start));
    (local || target == ".." || target == ".").then(|| target.to_owned())
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['"', '`'])
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
    fn no_module_no_answer() {
        assert_eq!(GoMod::parse("go 1.23\n"), None);
    }
}
