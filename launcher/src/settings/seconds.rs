//! A time as an operator writes it.

use std::str::FromStr;
use std::time::Duration;

/// A positive number of seconds; fractions are allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds(pub(crate) Duration);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
        Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|duration| !duration.is_zero())
            .map(Self)
            .ok_or_else(|| "not a positive number of seconds".to_owned())
    }
}
