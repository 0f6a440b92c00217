//! When a chaincode that ended is started again: at once, and later and later if it goes on ending.

use std::time::Duration;

/// The delay before the second start in a row; it doubles from there. The first is at once.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// The longest delay.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// One that lived this long has recovered: its next start is at once again.
const RECOVERED: Duration = Duration::from_secs(20);

/// How often it ended in a row.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    row: u32,
}

impl Restarts {
    /// It ended after so long: how often in a row by now, and the delay before the next start.
    pub(crate) fn ended(&mut self, lived: Duration) -> (u32, Duration) {
        self.row = if lived >= RECOVERED { 1 } else { self.row.saturating_add(1) };
        let delay = match self.row.checked_sub(2) {
            None => Duration::ZERO,
            Some(times) => {
                let factor = 1_u32.checked_shl(times).unwrap_or(u32::MAX);
                FIRST_DELAY.saturating_mul(factor).min(LONGEST_DELAY)
            }
        };
        (self.row, delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_once_then_ever_later_and_at_once_again() {
        let mut restarts = Restarts::default();
        let mut delay = |lived| restarts.ended(Duration::from_secs(lived)).1.as_millis();
        let delays: Vec<u128> = (0..12).map(|_| delay(1)).collect();
        let expected = [0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000];
        assert_eq!(delays, expected);
        assert_eq!((delay(20), delay(1)), (0, 100));
        let mut endless = Restarts { row: u32::MAX };
        assert_eq!(endless.ended(Duration::ZERO), (u32::MAX, LONGEST_DELAY));
    }
}
