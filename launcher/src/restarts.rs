//! When a process is started again that has ended.

use std::time::Duration;

use crate::backoff::doubled;

/// The delay before the second restart in a row; it doubles from there. The first is at once.
const FIRST_DELAY: Duration = Duration::from_millis(500);

/// The longest delay.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// A process that lived this long has recovered: its next restart is at once again.
pub(crate) const RECOVERED: Duration = Duration::from_secs(20);

/// The delay before a restart after so many ends in a row.
pub(crate) fn delay(ends: u32) -> Duration {
    match ends.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => doubled(FIRST_DELAY, doublings, LONGEST_DELAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_at_once_then_ever_later() {
        let delays: Vec<u128> = (1..=10).map(|ends| delay(ends).as_millis()).collect();
        assert_eq!(delays, [0, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
        assert_eq!(delay(u32::MAX), LONGEST_DELAY);
    }
}
