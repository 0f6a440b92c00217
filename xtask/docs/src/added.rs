//! The pages that the site has besides those of `docs`: what the sources tell, and what lies in the
//! repository's root.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use mdbook_driver::book::{Book, BookItem, Chapter};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

use crate::messages;

/// Files of the root, with the names by which the site lists them.
const OF_ROOT: [(&str, &str); 2] =
    [("ARCHITECTURE.md", "Architecture"), ("CONTRIBUTING.md", "Contributing")];

/// Adds them behind the others, and has links between root and `docs` lead to where they are in the
/// site.
pub(crate) struct Added(Vec<Chapter>);

impl Added {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let of_root = OF_ROOT.iter().map(|(file, name)| {
            let path = root.join(file);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            Ok(Chapter::new(name, text, *file, Vec::new()))
        });
        let messages = Chapter::new("Messages", messages::page(root)?, "messages.md", Vec::new());
        Ok(Self([Ok(messages)].into_iter().chain(of_root).collect::<Result<_>>()?))
    }
}

impl Preprocessor for Added {
    fn name(&self) -> &'static str {
        "pages besides"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        book.items.extend(self.0.iter().cloned().map(BookItem::Chapter));
        book.for_each_chapter_mut(|chapter| chapter.content = in_one_place(&chapter.content));
        Ok(book)
    }
}

/// A page whose links between root and `docs` are those of pages that lie side by side.
fn in_one_place(text: &str) -> String {
    text.replace("](../", "](").replace("](docs/", "](")
}
