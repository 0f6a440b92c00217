//! Times as they are shown.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

/// The last second that has four digits for its year.
const LAST: u64 = 253_402_300_799;

/// A time, printed as RFC 3339 has it, in UTC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(SystemTime);

impl Moment {
    /// That of so many seconds since 1970.
    pub(crate) fn of(seconds: i64) -> Self {
        let seconds = u64::try_from(seconds).unwrap_or_default().min(LAST);
        Self(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// How long ago it was; nothing for one that is to come by this machine's clock.
    pub(crate) fn before(self, now: SystemTime) -> Duration {
        now.duration_since(self.0).unwrap_or_default()
    }

    /// How long after another one it was.
    pub(crate) fn after(self, other: Self) -> Duration {
        self.0.duration_since(other.0).unwrap_or_default()
    }

    /// How long ago it was, in up to two units.
    pub(crate) fn ago(self, now: SystemTime) -> String {
        span(self.before(now))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_seconds(self.0))
    }
}

/// So many milliseconds since 1970, as RFC 3339 has them, in UTC.
pub(crate) fn to_the_millisecond(milliseconds: i64) -> String {
    let milliseconds = u64::try_from(milliseconds).unwrap_or_default().min(LAST * 1000);
    let time = UNIX_EPOCH + Duration::from_millis(milliseconds);
    humantime::format_rfc3339_millis(time).to_string()
}

/// A time span in up to two units, of which the smaller one is cut.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let unit = match seconds {
        0..3_600 => 1,
        3_600..86_400 => 60,
        _ => 3_600,
    };
    humantime::format_duration(Duration::from_secs(seconds / unit * unit)).to_string()
}
