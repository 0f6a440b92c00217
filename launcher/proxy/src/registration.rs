//! Until when the peer may be asked for registration.

use tokio::time::Instant;

/// When a launch is over, as far as registering is concerned.
///
/// A peer whose launch is over refuses a registration without a word, and the end of that stream
/// takes the place of the next launch away, should there be one by then
/// (`core/chaincode/handler_registry.go`, `Register` and `Deregister`).
#[derive(Clone, Debug)]
pub struct RegistrationDeadline {
    /// When the peer must have accepted, or it is not asked.
    pub until: Instant,
    /// What is said of a launch that would be registered later.
    pub missed: String,
}
