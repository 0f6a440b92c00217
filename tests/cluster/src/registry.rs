//! The registry of a cluster that asks who it is.

use testbed::registry::{PASSWORD, USER};

/// A registry that serves only who knows the password: the same content as the cluster's other
/// one, at another port.
#[derive(Clone, Debug)]
pub struct GuardedRegistry {
    /// `ADDRESS:PORT`, over plain HTTP.
    pub address: String,
    /// The user.
    pub user: &'static str,
    /// The password.
    pub password: &'static str,
}

impl GuardedRegistry {
    pub(crate) fn at(address: String) -> Self {
        Self { address, user: USER, password: PASSWORD }
    }
}
