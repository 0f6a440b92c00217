//! Whether the links of a site lead somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use scraper::{Html, Selector};
use url::Url;
use walkdir::WalkDir;

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) pages: usize,
    /// The links that lead nowhere, each with its page.
    pub(crate) broken: Vec<String>,
}

/// What of a page matters here.
struct Page {
    /// The places in it that a link may name.
    places: BTreeSet<String>,
    links: BTreeSet<String>,
}

/// Follows all links within the site that lies in a directory. Whether those to elsewhere lead somewhere
/// is for the world to say.
pub(crate) fn check(site: &Path) -> Result<Found> {
    let site = site.canonicalize().with_context(|| format!("no site in {}", site.display()))?;
    let mut pages = BTreeMap::new();
    for entry in WalkDir::new(&site) {
        let path = entry.context("cannot look through the site")?.into_path();
        if path.extension().is_some_and(|extension| extension == "html") {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            pages.insert(path, Page::read(&text));
        }
    }
    let broken = pages.iter().flat_map(|(path, page)| {
        let wrong = page.links.iter().filter(|link| !leads_somewhere(&site, &pages, path, link));
        let name = path.strip_prefix(&site).unwrap_or(path).display();
        wrong.map(move |link| format!("{name}: {link}"))
    });
    Ok(Found { broken: broken.collect(), pages: pages.len() })
}

impl Page {
    fn read(text: &str) -> Self {
        let page = Html::parse_document(text);
        let all = |what: &str, attribute: &str| -> BTreeSet<String> {
            let selector = Selector::parse(what).expect("a selector");
            let found = page.select(&selector).filter_map(|one| one.attr(attribute));
            found.map(str::to_owned).collect()
        };
        Self { places: all("[id]", "id"), links: &all("[href]", "href") | &all("[src]", "src") }
    }
}

fn leads_somewhere(site: &Path, pages: &BTreeMap<PathBuf, Page>, from: &Path, link: &str) -> bool {
    let Ok(here) = Url::from_file_path(from) else { return false };
    let Ok(target) = here.join(link) else { return false };
    if target.scheme() != "file" {
        return true;
    }
    let Ok(path) = target.to_file_path() else { return false };
    if !path.starts_with(site) || !path.exists() {
        return false;
    }
    match (target.fragment(), pages.get(&path)) {
        (Some(place), Some(page)) if !place.is_empty() => {
            let place = percent_decoded(place);
            page.places.contains(&place)
        }
        _ => true,
    }
}

/// A place as a page names it, which a link may have with escapes.
fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_named() {
        let site = tempfile::tempdir().unwrap();
        let there = "<h1 id=top></h1><a href=there.html#top></a><a href='#top'></a>";
        let here = "<a href='there.html#top'></a><a href='there.html#gone'></a><img src=none.png>\
                    <a href='https://example.org/none'></a><a href='../outside.html'></a>";
        fs::write(site.path().join("there.html"), there).unwrap();
        fs::write(site.path().join("here.html"), here).unwrap();
        let found = check(site.path()).unwrap();
        assert_eq!(found.pages, 2);
        let expected = ["../outside.html", "none.png", "there.html#gone"];
        assert_eq!(found.broken, expected.map(|link| format!("here.html: {link}")));
    }
}
