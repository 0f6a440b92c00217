//! Something in a pod that is not of the baseline.

use crate::path::Path;
use selvedge_config::Allowance;

/// Something that is not of the baseline.
pub(super) struct Finding {
    /// Where.
    pub(super) path: Path,
    /// What is there.
    pub(super) reason: String,
    /// What permits it, if anything does.
    pub(super) allowance: Option<Allowance>,
}

impl Finding {
    /// What an allowance permits.
    pub(super) fn lifts(allowance: Allowance, path: Path, reason: impl Into<String>) -> Self {
        Self { path, reason: reason.into(), allowance: Some(allowance) }
    }

    /// What no allowance permits.
    pub(super) fn breaks(path: Path, reason: impl Into<String>) -> Self {
        Self { path, reason: reason.into(), allowance: None }
    }
}
