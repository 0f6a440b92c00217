//! How long a launch may take: from the call of the peer's `run` to the registration, whatever has
//! to be done in between.

use std::time::Duration;

use selvedge_proxy::RegistrationDeadline;
use tokio::time::Instant;

/// What is left after a launch's time to tell those who called, by way of the peer, why it failed.
pub(crate) const TELLING: Duration = Duration::from_secs(5);

/// As good as for ever, for a clock that cannot count for ever.
pub(crate) const AGES: Duration = Duration::from_hours(24 * 365);

/// The end of one launch's time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaunchDeadline {
    begun: Instant,
    limit: Duration,
}

impl LaunchDeadline {
    /// Of a launch that begins now.
    pub(crate) fn of(limit: Duration) -> Self {
        Self { begun: Instant::now(), limit }
    }

    /// The same launch with another limit.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// When the chaincode must have registered.
    pub(crate) fn until(self) -> Instant {
        self.begun + self.limit.min(AGES)
    }

    /// The whole time, which the setting gives.
    pub(crate) fn limit(self) -> Duration {
        self.limit
    }

    /// What has passed of it.
    pub(crate) fn passed(self) -> Duration {
        self.begun.elapsed()
    }

    /// When the peer must have heard of the launch.
    pub(crate) fn registration(self) -> RegistrationDeadline {
        let seconds = self.limit.as_secs_f32();
        RegistrationDeadline {
            until: self.until() + TELLING,
            missed: format!(
                "the launch took longer than {seconds} s (chaincode.timeouts.start): the peer may have \
                 given it up, and is not asked for registration any more"
            ),
        }
    }
}
