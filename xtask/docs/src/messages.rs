//! The page of messages: each error that the programs know, with what is written beside it in the
//! source. So it is never behind the programs, and the site's search finds what somebody has read in a
//! log.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use syn::{Attribute, Expr, ExprLit, Item, Lit, Meta};
use walkdir::WalkDir;

/// Where the programs' sources are, and what people know each part by.
const PARTS: [(&str, &str); 10] = [
    ("builder/src", "The builders, which the peer calls"),
    ("buildpack/package/src", "Packages, as a peer reads them"),
    ("buildpack/src", "Packages, languages, images"),
    ("config/src", "The operator's file"),
    ("manifest/src", "What a chaincode is in Kubernetes"),
    ("registry/src", "Registries"),
    ("launcher/client/src", "The way to the launcher"),
    ("launcher/proxy/src", "The shim proxy"),
    ("launcher/src", "The launcher"),
    ("cli/src", "The command line"),
];

/// What stands before the list.
const ABOUT: &str = "# Messages\n\nWhat the programs can tell, part by part, in the order of the \
                     alphabet; `…` is where they name a thing. An error is told with its causes \
                     behind it, so a line in a log may have several of these.\n";

/// The page, of the sources in this workspace.
pub(crate) fn page(workspace: &Path) -> Result<String> {
    let mut page = ABOUT.to_owned();
    for (directory, name) in PARTS {
        let messages = messages_in(&workspace.join(directory))?;
        if !messages.is_empty() {
            write!(page, "\n## {name}\n\n")?;
        }
        for (text, meaning) in messages {
            let meaning = if meaning.is_empty() { meaning } else { format!(": {meaning}") };
            writeln!(page, "- `{text}`{meaning}")?;
        }
    }
    Ok(page)
}

/// The messages in the sources below a directory, with what is said of each.
fn messages_in(directory: &Path) -> Result<BTreeMap<String, String>> {
    let mut messages = BTreeMap::new();
    for entry in WalkDir::new(directory) {
        let path =
            entry.with_context(|| format!("cannot read {}", directory.display()))?.into_path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let source =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let file =
            syn::parse_file(&source).with_context(|| format!("{} is not Rust", path.display()))?;
        collect(&file.items, &mut messages);
    }
    Ok(messages)
}

fn collect(items: &[Item], messages: &mut BTreeMap<String, String>) {
    for item in items {
        match item {
            Item::Enum(item) => item.variants.iter().for_each(|one| add(&one.attrs, messages)),
            Item::Struct(item) => add(&item.attrs, messages),
            Item::Mod(item) => {
                let inside = item.content.as_ref().map(|(_, items)| &items[..]);
                collect(inside.unwrap_or_default(), messages);
            }
            _ => {}
        }
    }
}

/// Adds the message of an error (`#[error("…")]` of thiserror), if these are an error's attributes.
fn add(attributes: &[Attribute], messages: &mut BTreeMap<String, String>) {
    let of_error = |attribute: &&Attribute| attribute.path().is_ident("error");
    let Some(Meta::List(list)) = attributes.iter().find(of_error).map(|attribute| &attribute.meta)
    else {
        return;
    };
    // The text comes first, and what is put into it behind.
    let text = list.tokens.clone().into_iter().next();
    let text = text.and_then(|token| syn::parse_str::<syn::LitStr>(&token.to_string()).ok());
    let Some(text) = text.map(|text| with_gaps(&text.value())) else { return };
    // What is a cause alone has nothing to look for.
    if text.chars().any(char::is_alphabetic) {
        messages.entry(text).or_insert_with(|| documentation(attributes));
    }
}

/// A text with its gaps as a reader sees them, on one line.
fn with_gaps(text: &str) -> String {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(start) = rest.find('{') {
        shown.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        if let Some(literal) = rest.strip_prefix('{') {
            shown.push('{');
            rest = literal;
            continue;
        }
        shown.push('…');
        rest = rest.split_once('}').map_or("", |(_, behind)| behind);
    }
    shown.push_str(rest);
    shown.replace("}}", "}").replace('`', "'").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is written above something, on one line.
fn documentation(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    // A link to code means nothing on this page.
    lines.collect::<Vec<_>>().join(" ").replace("[`", "`").replace("`]", "`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_with_what_is_said_of_them() {
        let source = r#"
            pub enum Fault {
                /// It could not be
                /// read.
                #[error("cannot read {}, of {{}} {name:?} bytes\n and `more`", path.display())]
                Read { path: PathBuf, name: String },
                #[error(transparent)]
                Other(Cause),
                #[error("{0}")]
                Told(String),
            }
            mod inner {
                #[error("nothing is there")]
                struct Nothing;
            }
        "#;
        let mut messages = BTreeMap::new();
        collect(&syn::parse_file(source).unwrap().items, &mut messages);
        let found: Vec<_> = messages.into_iter().collect();
        let expected = [
            ("cannot read …, of {} … bytes and 'more'", "It could not be read."),
            ("nothing is there", ""),
        ];
        assert_eq!(found, expected.map(|(text, meaning)| (text.to_owned(), meaning.to_owned())));
    }
}
