//! Since when no replica is connected: what hangs has to be replaced.

use std::collections::HashSet;
use std::future::pending;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};

/// How long a replica may take to end when it has lost its connection.
const LINGER: Duration = Duration::from_secs(5);

/// Who is connected, and what follows when nobody is.
pub(crate) struct Desertion {
    connected: HashSet<u64>,
    /// Since when nobody is, and until when that is borne.
    since: Option<(SystemTime, Instant)>,
    /// How long a replica may take to connect.
    start_limit: Duration,
}

impl Desertion {
    /// Before the first replica has come.
    pub(crate) fn new(start_limit: Duration) -> Self {
        Self { connected: HashSet::new(), since: None, start_limit }
    }

    /// A replica is connected.
    pub(crate) fn joined(&mut self, replica: u64) {
        self.connected.insert(replica);
        self.since = None;
    }

    /// A replica is connected no more.
    pub(crate) fn left(&mut self, replica: u64) {
        self.connected.remove(&replica);
        if self.connected.is_empty() && self.since.is_none() {
            self.since = Some((SystemTime::now(), Instant::now() + LINGER));
        }
    }

    /// Ready when it has lasted too long, with the time before which a replica was started that
    /// will not connect any more: no shim opens a second stream. Those that follow have the time
    /// to start.
    pub(crate) async fn lasts_too_long(&mut self) -> SystemTime {
        let Some((since, until)) = self.since else { return pending().await };
        sleep_until(until).await;
        self.since = Some((SystemTime::now(), Instant::now() + self.start_limit));
        since
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const START: Duration = Duration::from_mins(1);

    async fn lasts(desertion: &mut Desertion, time: Duration) -> bool {
        timeout(time, desertion.lasts_too_long()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_missed_before_the_first_has_come_or_while_one_is_there() {
        let mut desertion = Desertion::new(START);
        assert!(!lasts(&mut desertion, START * 2).await);
        desertion.joined(0);
        desertion.joined(1);
        desertion.left(0);
        assert!(!lasts(&mut desertion, START * 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_one_is_given_a_moment_and_the_next_ones_the_time_to_start() {
        let mut desertion = Desertion::new(START);
        desertion.joined(0);
        desertion.left(0);
        assert!(!lasts(&mut desertion, LINGER.mul_f32(0.99)).await);
        assert!(lasts(&mut desertion, Duration::from_secs(1)).await);
        assert!(!lasts(&mut desertion, START.mul_f32(0.99)).await);
        assert!(lasts(&mut desertion, Duration::from_secs(1)).await);
        desertion.joined(1);
        assert!(!lasts(&mut desertion, START * 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_comes_and_is_cut_off_at_once_does_not_begin_it_anew() {
        let mut desertion = Desertion::new(START);
        desertion.joined(0);
        desertion.left(0);
        assert!(!lasts(&mut desertion, LINGER / 2).await);
        desertion.left(1);
        assert!(lasts(&mut desertion, LINGER).await);
    }
}
