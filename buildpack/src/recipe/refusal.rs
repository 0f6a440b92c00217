//! What is told to the person who installed what cannot be built.

use std::error::Error;

/// Why a source cannot be built, for the person who installed it.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The `path` of the package's metadata.
    #[error(transparent)]
    Path(Box<dyn Error + Send + Sync>),
    /// What there is, or what came of it.
    #[error(transparent)]
    Code(Box<dyn Error + Send + Sync>),
}
