//! The set of replicas that is to take the place of the one that there is.

use std::sync::Arc;

use selvedge_config::Chaincode;
use tokio::time::Instant;

use super::set::Set;

/// The set that is to take the place of the one that there is.
pub(super) enum Next {
    None,
    /// It is being started with these settings.
    Starting(Arc<Chaincode>),
    /// It may come up until then.
    Coming(Box<Set>, Instant),
    /// It is complete, and takes over then.
    Tried(Box<Set>, Instant),
}

impl Next {
    pub(super) fn set(&self) -> Option<&Set> {
        match self {
            Self::Coming(set, _) | Self::Tried(set, _) => Some(set),
            Self::None | Self::Starting(_) => None,
        }
    }

    pub(super) fn set_mut(&mut self) -> Option<&mut Set> {
        match self {
            Self::Coming(set, _) | Self::Tried(set, _) => Some(set),
            Self::None | Self::Starting(_) => None,
        }
    }

    pub(super) fn settings(&self) -> Option<&Arc<Chaincode>> {
        match self {
            Self::None => None,
            Self::Starting(settings) => Some(settings),
            Self::Coming(set, _) | Self::Tried(set, _) => Some(&set.settings),
        }
    }

    pub(super) fn take(&mut self) -> Option<Box<Set>> {
        match std::mem::replace(self, Self::None) {
            Self::Coming(set, _) | Self::Tried(set, _) => Some(set),
            // It is dismissed when it has been started.
            Self::None | Self::Starting(_) => None,
        }
    }
}
