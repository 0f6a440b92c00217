//! What of the dependencies that builds share may be in use.

use std::time::{Duration, SystemTime};

/// Go marks what it uses once an hour (`src/cmd/go/internal/cache/cache.go`, `mtimeInterval`).
const MARKED: Duration = Duration::from_hours(1);

/// What a build may be reading that takes so many seconds at most was used after this.
pub(super) fn in_use_since(seconds: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(seconds) - MARKED
}
