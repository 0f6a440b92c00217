//! Time limits that a setting in the environment may change.

use std::{env, time::Duration};

/// A setting that is no number of seconds.
#[derive(Debug, thiserror::Error)]
#[error("{variable} is {value:?}: it must be a whole number of seconds, 1 or more")]
pub struct LimitError {
    variable: &'static str,
    value: String,
}

/// The limit in seconds that the variable sets, or the usual one.
pub(crate) fn from_environment(
    variable: &'static str,
    usual: Duration,
) -> Result<Duration, LimitError> {
    let Some(value) = env::var_os(variable) else {
        return Ok(usual);
    };
    let value = value.to_string_lossy();
    match value.parse::<u32>() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds.into())),
        _ => Err(LimitError { variable, value: value.into_owned() }),
    }
}
