//! Waiting for conditions, with a bound.

use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, sleep};

/// How often a condition is asked for.
const STEP: Duration = Duration::from_millis(25);

/// A condition that did not come.
#[derive(Debug, Error)]
#[error("{what} did not come within {limit:?}; last: {last}")]
pub struct Overdue {
    /// What was waited for.
    what: String,
    /// How long.
    limit: Duration,
    /// What was there instead, the last time.
    last: String,
}

/// Asks `condition` until it gives a value, up to `limit`. An `Err` says what is there instead.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut condition: impl AsyncFnMut() -> Result<T, String>,
) -> Result<T, Overdue> {
    let deadline = Instant::now() + limit;
    loop {
        match condition().await {
            Ok(value) => return Ok(value),
            Err(last) if Instant::now() >= deadline => {
                return Err(Overdue { what: what.to_owned(), limit, last });
            }
            Err(_) => sleep(STEP).await,
        }
    }
}
