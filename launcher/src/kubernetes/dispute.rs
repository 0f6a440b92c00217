//! When to put right what another hand changes, and what to say of it: at once and each time, but
//! ever more seldom and without a word when it is changed again and again. Then the other hand is
//! a program's (an autoscaler, a tool that applies a repository), and would not give in either.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::doubled;

/// So often the same change is put right at once.
const PATIENCE: u32 = 3;

/// The delay before the next time after that; it doubles from there.
const FIRST_DELAY: Duration = Duration::from_secs(5);

/// The longest delay.
const LONGEST_DELAY: Duration = Duration::from_mins(5);

/// What was not changed for so long is no dispute any more.
const CALM: Duration = Duration::from_mins(15);

/// The changes that were put right, in words.
#[derive(Default)]
pub(crate) struct Disputes(HashMap<String, Dispute>);

struct Dispute {
    times: u32,
    last: Instant,
}

impl Disputes {
    /// When the change may be put right.
    pub(crate) fn due(&self, change: &str) -> Instant {
        let now = Instant::now();
        self.0.get(change).map_or(now, |dispute| dispute.last + delay(dispute.times))
    }

    /// The change has been put right; what is to be said of it.
    pub(crate) fn put_right(&mut self, change: &str) -> Option<String> {
        let now = Instant::now();
        self.0.retain(|_, dispute| now.duration_since(dispute.last) < CALM);
        let dispute = self.0.entry(change.into()).or_insert(Dispute { times: 0, last: now });
        dispute.times += 1;
        dispute.last = now;
        match dispute.times {
            ..PATIENCE => Some(format!("{change} by another hand; it was put right")),
            PATIENCE => Some(format!(
                "{change} by another hand again and again; it is put right, but ever more seldom, \
                 and nothing more is said of it"
            )),
            _ => None,
        }
    }
}

/// The delay after the change was put right so many times.
fn delay(times: u32) -> Duration {
    match times.checked_sub(PATIENCE) {
        None => Duration::ZERO,
        Some(doublings) => doubled(FIRST_DELAY, doublings, LONGEST_DELAY),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep_until};

    use super::*;

    const CHANGE: &str = "the Deployment basic was edited (spec.replicas)";

    #[tokio::test(start_paused = true)]
    async fn what_is_changed_again_and_again_is_put_right_ever_more_seldom() {
        let mut disputes = Disputes::default();
        let begun = Instant::now();
        let mut said = Vec::new();
        let mut times = 0;
        while begun.elapsed() < Duration::from_hours(1) {
            sleep_until(disputes.due(CHANGE)).await;
            said.extend(disputes.put_right(CHANGE));
            times += 1;
        }
        assert_eq!(said.len(), 3);
        assert!(said[2].contains("again and again"), "{said:?}");
        assert!(times < 24, "{times}");
        assert_eq!(disputes.due("another"), Instant::now());

        advance(CALM).await;
        assert!(disputes.put_right(CHANGE).unwrap().ends_with("it was put right"));
    }
}
