//! The files of a crate, and what each names of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path within the crate: names from its root on.
pub(crate) type ModulePath = Vec<String>;

/// A crate's modules.
pub(crate) struct Crate {
    pub(crate) modules: BTreeMap<ModulePath, Module>,
}

/// One module.
#[derive(Default)]
pub(crate) struct Module {
    /// The file that it is in.
    pub(crate) file: PathBuf,
    /// What it brings into its scope.
    pub(crate) uses: Vec<Use>,
    /// Paths in its code, of two names or more.
    pub(crate) paths: Vec<Vec<String>>,
    /// All names in its code.
    pub(crate) names: BTreeSet<String>,
}

/// A name that a `use` brings into scope.
pub(crate) struct Use {
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
    /// Others may have it from here.
    pub(crate) is_public: bool,
}

impl Crate {
    /// Reads the crate whose first file this is.
    pub(crate) fn read(root: &Path) -> Self {
        let mut read = Self { modules: BTreeMap::new() };
        read.read_file(root, root.parent().unwrap(), &[]);
        read
    }

    /// `directory` is where the module's children are.
    fn read_file(&mut self, file: &Path, directory: &Path, path: &[String]) {
        let text = fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()));
        let tokens: TokenStream =
            text.parse().unwrap_or_else(|error| panic!("{} is not Rust: {error}", file.display()));
        self.read_module(tokens, file, directory, path);
    }

    fn read_module(&mut self, tokens: TokenStream, file: &Path, directory: &Path, path: &[String]) {
        let module = Module { file: file.to_owned(), ..Module::default() };
        let mut reader = Reader { module, children: Vec::new() };
        reader.read(&tokens.into_iter().collect::<Vec<_>>());
        let Reader { module, children } = reader;
        self.modules.insert(path.to_vec(), module);
        for (name, content) in children {
            let path = [path, std::slice::from_ref(&name)].concat();
            let below = directory.join(&name);
            match content {
                Content::Here(tokens) => self.read_module(tokens, file, &below, &path),
                Content::InFile(None) => {
                    self.read_file(&directory.join(format!("{name}.rs")), &below, &path);
                }
                Content::InFile(Some(named)) => {
                    let file = file.with_file_name(named);
                    self.read_file(&file, file.parent().unwrap(), &path);
                }
            }
        }
    }
}

/// What a child module consists of.
enum Content {
    Here(TokenStream),
    /// In a file, which an attribute may name.
    InFile(Option<String>),
}

struct Reader {
    module: Module,
    children: Vec<(String, Content)>,
}

impl Reader {
    fn read(&mut self, tokens: &[TokenTree]) {
        let mut rest = tokens;
        let mut is_public = false;
        let mut named = None;
        while let Some(token) = rest.first() {
            if let Some(after) = skip_test(rest) {
                rest = after;
                continue;
            }
            named = named_file(rest).or(named);
            match (token, rest.get(1)) {
                (TokenTree::Ident(word), _) if word == "use" => {
                    let mut parts = rest[1..].split(|token| is_punct(token, ';'));
                    let tree = parts.next().unwrap_or_default();
                    self.read_use(tree, &[], is_public);
                    rest = &rest[1 + tree.len()..];
                }
                (TokenTree::Ident(word), Some(TokenTree::Ident(name))) if word == "mod" => {
                    let content = match &rest[2] {
                        TokenTree::Group(group) => Content::Here(group.stream()),
                        _ => Content::InFile(named.take()),
                    };
                    self.children.push((name.to_string(), content));
                    rest = &rest[3..];
                }
                (TokenTree::Ident(word), _) => {
                    is_public = word == "pub";
                    rest = self.read_path(rest);
                    continue;
                }
                (TokenTree::Group(group), _) => {
                    // What follows `pub(crate)` is as public as what follows `pub`.
                    is_public &= group.delimiter() == Delimiter::Parenthesis;
                    self.read(&group.stream().into_iter().collect::<Vec<_>>());
                    rest = &rest[1..];
                    continue;
                }
                _ => rest = &rest[1..],
            }
            is_public = false;
        }
    }

    /// Reads the names joined by `::` at the beginning; what follows them.
    fn read_path<'a>(&mut self, tokens: &'a [TokenTree]) -> &'a [TokenTree] {
        let mut path = vec![tokens[0].to_string()];
        let mut rest = &tokens[1..];
        while let [first, second, TokenTree::Ident(name), after @ ..] = rest
            && is_punct(first, ':')
            && is_punct(second, ':')
        {
            path.push(name.to_string());
            rest = after;
        }
        self.module.names.extend(path.iter().cloned());
        if path.len() > 1 {
            self.module.paths.push(path);
        }
        rest
    }

    /// Reads a tree of a `use`, below the names before it.
    fn read_use(&mut self, tree: &[TokenTree], before: &[String], is_public: bool) {
        let mut path = before.to_vec();
        let mut name = None;
        let mut rest = tree;
        while let Some(token) = rest.first() {
            match token {
                TokenTree::Group(group) => {
                    let tokens: Vec<_> = group.stream().into_iter().collect();
                    for tree in tokens.split(|token| is_punct(token, ',')) {
                        self.read_use(tree, &path, is_public);
                    }
                    return;
                }
                TokenTree::Ident(word) if word == "as" => {
                    name = rest.get(1).map(ToString::to_string);
                    break;
                }
                TokenTree::Ident(word) if word == "self" && !path.is_empty() => {}
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == '*' => path.push("*".to_owned()),
                _ => {}
            }
            rest = &rest[1..];
        }
        let Some(last) = path.last().cloned() else { return };
        self.module.uses.push(Use { name: name.unwrap_or(last), path, is_public });
    }
}

/// The file that an attribute gives to a module: `#[path = "file"]`.
fn named_file(tokens: &[TokenTree]) -> Option<String> {
    let [hash, TokenTree::Group(attribute), ..] = tokens else { return None };
    let attribute = attribute.stream().to_string();
    let named = attribute.strip_prefix("path = \"")?.strip_suffix('"')?;
    is_punct(hash, '#').then(|| named.to_owned())
}

/// What follows an item that is compiled for tests alone, if one begins here.
fn skip_test(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    let [hash, TokenTree::Group(attribute), rest @ ..] = tokens else { return None };
    let attribute: String =
        attribute.stream().to_string().chars().filter(|c| !c.is_whitespace()).collect();
    if !is_punct(hash, '#') || attribute != "cfg(test)" {
        return None;
    }
    let is_end = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => is_punct(other, ';'),
    };
    let end = rest.iter().position(is_end).unwrap_or(rest.len() - 1);
    Some(&rest[end + 1..])
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}
