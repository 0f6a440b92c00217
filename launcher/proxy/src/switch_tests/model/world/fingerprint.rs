//! What of two worlds that are the same is the same.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::World;

impl World {
    /// All but the way there.
    pub(in super::super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.left, &self.peer, &self.processes).hash(&mut hasher);
        (self.breaches, self.retired, self.released, self.is_closed, self.wanted).hash(&mut hasher);
        let mut transactions: Vec<_> = self.switch.transactions.all().collect();
        transactions.sort_by_key(|transaction| transaction.key().txid());
        let routing = (
            transactions,
            self.switch.roster.in_turn(),
            &self.switch.waiting,
            &self.switch.retirements,
        );
        let mut text = Hashing(&mut hasher);
        fmt::write(&mut text, format_args!("{routing:?}")).expect("hashing cannot fail");
        hasher.finish()
    }
}

/// Text that is not kept.
struct Hashing<'a>(&'a mut DefaultHasher);

impl fmt::Write for Hashing<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
