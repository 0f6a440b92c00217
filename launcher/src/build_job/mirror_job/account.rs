//! What a mirror has brought, and from where.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// All that was brought.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// What was kept by an earlier build.
    pub(super) held: Tally,
    /// What came from the repository.
    pub(super) fetched: Tally,
    /// What of that is kept from now on.
    pub(super) taken: Tally,
}

/// So many files, and so many bytes.
#[derive(Debug, Default)]
pub(super) struct Tally {
    files: AtomicU64,
    bytes: AtomicU64,
}

impl Tally {
    /// Counts a file.
    pub(super) fn add(&self, bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Account {
    /// In words, of a repository.
    pub(super) fn of(&self, address: &str) -> String {
        let Self { held, fetched, taken } = self;
        format!(
            "of {address}: {held} were kept, {fetched} were fetched, {taken} of those are kept now"
        )
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.files.load(Ordering::Relaxed);
        // Tenths of a MiB, without a float.
        let tenths = (self.bytes.load(Ordering::Relaxed) * 10) >> 20;
        write!(f, "{files} files ({}.{} MiB)", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_words() {
        let account = Account::default();
        account.held.add(3 << 19);
        account.held.add(0);
        assert_eq!(
            account.of("https://r.example"),
            "of https://r.example: 2 files (1.5 MiB) were kept, 0 files (0.0 MiB) were fetched, \
             0 files (0.0 MiB) of those are kept now"
        );
    }
}
