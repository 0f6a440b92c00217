//! Who nodes are at the registry that a launcher serves.

use std::fmt;

/// Who nodes are at a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct PullLogin {
    /// The registry, as images' names have it: `HOST:PORT`.
    pub registry: String,
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

/// Says nothing of the password.
impl fmt::Debug for PullLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PullLogin");
        shown.field("registry", &self.registry).field("user", &self.user).finish_non_exhaustive()
    }
}
