//! The pages of the repository's root that belong to the site, too.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use mdbook_driver::book::{Book, BookItem, Chapter};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

/// Their files, with the names by which the site lists them.
const PAGES: [(&str, &str); 2] =
    [("ARCHITECTURE.md", "Architecture"), ("CONTRIBUTING.md", "Contributing")];

/// Adds them behind the others, and has links between the two lead to where they are in the site.
pub(crate) struct RootPages(Vec<Chapter>);

impl RootPages {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let chapters = PAGES.iter().map(|(file, name)| {
            let path = root.join(file);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            Ok(Chapter::new(name, text, *file, Vec::new()))
        });
        Ok(Self(chapters.collect::<Result<_>>()?))
    }
}

impl Preprocessor for RootPages {
    fn name(&self) -> &'static str {
        "pages of the root"
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
