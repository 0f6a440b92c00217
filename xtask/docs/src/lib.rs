//! The documentation as a site.

mod added;
mod links;
mod messages;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use mdbook_driver::MDBook;

use added::Added;

/// A site that was made.
#[derive(Debug)]
pub struct Site {
    /// Its first page.
    pub index: PathBuf,
    /// How many pages it has.
    pub pages: usize,
}

/// Makes a site in the directory `to` of what lies in `docs` of `workspace`, and of the pages beside
/// that which it leads to. What is in `to` is replaced.
///
/// # Errors
///
/// When a page is missing, and when a link within the site leads nowhere: all of these are named.
pub fn make(workspace: &Path, to: &Path) -> Result<Site> {
    let docs = workspace.join("docs");
    let mut book =
        MDBook::load(&docs).with_context(|| format!("cannot read {}", docs.display()))?;
    to.clone_into(&mut book.config.build.build_dir);
    book.with_preprocessor(Added::read(workspace)?);
    book.build().with_context(|| format!("cannot make a site in {}", to.display()))?;
    let found = links::check(to)?;
    ensure!(found.broken.is_empty(), "links lead nowhere:\n{}", found.broken.join("\n"));
    Ok(Site { index: to.join("index.html"), pages: found.pages })
}
