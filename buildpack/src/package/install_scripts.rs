//! What keeps an image of Node chaincode from being the same each time: scripts of its dependencies, which
//! may do whatever they like where these are installed.

use std::path::Path;

use super::remark::Remark;
use crate::node::scripted;

/// The most names that a remark has.
const MOST: usize = 5;

/// What there is to know of the packages that a lock file of npm's names, which lies in the directory.
pub(super) fn remark(code: &Path) -> Option<Remark> {
    let (file, mut names) = scripted(code)?;
    let more = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let names = names.join(", ").escape_debug().to_string();
    let text = format!(
        "names packages that run scripts of their own when they are installed, by which the same \
         source may become another image each time: {names}{more}"
    );
    Some(Remark { file: file.to_owned(), text })
}
