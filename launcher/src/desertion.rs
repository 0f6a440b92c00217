//! Since when no replica is connected: what hangs has to be replaced.

use std::collections::HashMap;
use std::future::pending;
use std::time::{Duration, SystemTime};

use selvedge_proxy::Credential;
use tokio::time::{Instant, sleep_until};

/// How long a replica may take to end when it has lost its connection: no shim opens a second one.
pub(crate) const LINGER: Duration = Duration::from_secs(5);

/// How long replicas that an earlier run has left may take to come back: some have to be started first.
const RETURN: Duration = Duration::from_secs(20);

/// How long after a process has begun its beginning may be noted, or told: Kubernetes tells whole
/// seconds.
const INEXACT: Duration = Duration::from_secs(2);

/// Who is connected, and what follows when nobody is.
pub(crate) struct Desertion {
    /// Since when each replica is, and what it has shown.
    connected: HashMap<u64, (Credential, SystemTime)>,
    /// Before what time all that were lost had begun.
    begun_before: SystemTime,
    /// Before what time those had begun that will not connect, and until when that is borne.
    borne: Option<(SystemTime, Instant)>,
    /// How long a replica may take to connect.
    start_limit: Duration,
}

impl Desertion {
    /// Before the first replica has come.
    pub(crate) fn new(start_limit: Duration) -> Self {
        let (connected, begun_before) = (HashMap::new(), SystemTime::UNIX_EPOCH);
        Self { connected, begun_before, borne: None, start_limit }
    }

    /// Replicas are there from before, and are to come back.
    pub(crate) fn expects_return(&mut self) {
        self.borne = Some((SystemTime::now(), Instant::now() + RETURN));
    }

    /// A replica is connected since then.
    pub(crate) fn joined(&mut self, replica: u64, credential: Credential, at: SystemTime) {
        self.connected.insert(replica, (credential, at));
        self.borne = None;
    }

    /// A replica is connected no more since then.
    pub(crate) fn left(&mut self, replica: u64, at: SystemTime) {
        self.lost(replica, at, LINGER);
    }

    /// A replica was given up, which has had its time to answer and does not.
    pub(crate) fn hangs(&mut self, replica: u64, at: SystemTime) {
        self.lost(replica, at, Duration::ZERO);
    }

    /// A replica has left that was to go: that is no loss, and others are to come.
    pub(crate) fn left_well(&mut self, replica: u64) {
        if self.connected.remove(&replica).is_some() {
            self.look_around(LINGER);
        }
    }

    /// Whether any replica is connected.
    pub(crate) fn others_are_there(&self) -> bool {
        !self.connected.is_empty()
    }

    fn lost(&mut self, replica: u64, at: SystemTime, linger: Duration) {
        // Not the time of the loss alone, which shows late when there is much to do: its successor
        // may run by then, and has done nothing to be replaced.
        let connected = self.connected.remove(&replica);
        let begun_before = connected.map_or(at, |(_, connected)| at.min(connected + INEXACT));
        self.begun_before = self.begun_before.max(begun_before);
        self.look_around(linger);
    }

    /// Replicas with this credential are of no use any more: that they go is no loss, and that they
    /// are there makes up for none.
    pub(crate) fn retired(&mut self, credential: Credential) {
        let before = self.connected.len();
        self.connected.retain(|_, (shown, _)| *shown != credential);
        if self.connected.len() < before {
            self.look_around(LINGER);
        }
    }

    /// Bears it for a moment if nobody is connected.
    fn look_around(&mut self, linger: Duration) {
        if self.connected.is_empty() && self.borne.is_none() {
            self.borne = Some((self.begun_before, Instant::now() + linger));
        }
    }

    /// Ready when it has lasted too long, with the time before which a replica had begun that will
    /// not connect any more: no shim opens a second stream. Those that follow have the time to
    /// start.
    pub(crate) async fn lasts_too_long(&mut self) -> SystemTime {
        let Some((begun_before, until)) = self.borne else { return pending().await };
        sleep_until(until).await;
        self.borne = Some((SystemTime::now(), Instant::now() + self.start_limit));
        begun_before
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const START: Duration = Duration::from_mins(1);

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn old() -> Credential {
        Credential::of(b"the certificate of those that are there")
    }

    fn new() -> Credential {
        Credential::of(b"the certificate of those that replace them")
    }

    async fn lasts(desertion: &mut Desertion, time: Duration) -> bool {
        timeout(time, desertion.lasts_too_long()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_missed_before_the_first_has_come_or_while_one_is_there() {
        let mut desertion = Desertion::new(START);
        assert!(!lasts(&mut desertion, START * 2).await);
        desertion.joined(0, old(), at(1));
        desertion.joined(1, old(), at(1));
        desertion.left(0, at(9));
        assert!(!lasts(&mut desertion, START * 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_one_is_given_a_moment_and_the_next_ones_the_time_to_start() {
        let mut desertion = Desertion::new(START);
        desertion.joined(0, old(), at(1));
        desertion.left(0, at(9));
        assert!(!lasts(&mut desertion, LINGER.mul_f32(0.99)).await);
        assert!(lasts(&mut desertion, Duration::from_secs(1)).await);
        assert!(!lasts(&mut desertion, START.mul_f32(0.99)).await);
        assert!(lasts(&mut desertion, Duration::from_secs(1)).await);
        desertion.joined(1, old(), at(1));
        assert!(!lasts(&mut desertion, START * 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_an_earlier_run_left_have_their_time_to_come_back() {
        let mut desertion = Desertion::new(START);
        desertion.expects_return();
        assert!(!lasts(&mut desertion, RETURN.mul_f32(0.99)).await);
        assert!(lasts(&mut desertion, Duration::from_secs(1)).await);

        let mut desertion = Desertion::new(START);
        desertion.expects_return();
        desertion.joined(0, old(), at(1));
        assert!(!lasts(&mut desertion, START * 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_has_had_its_moment() {
        let mut desertion = Desertion::new(START);
        desertion.joined(0, old(), at(1));
        desertion.joined(1, old(), at(1));
        desertion.hangs(0, at(9));
        assert!(!lasts(&mut desertion, START * 2).await, "another one is there");
        desertion.hangs(1, at(9));
        assert!(lasts(&mut desertion, Duration::ZERO).await);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_comes_and_is_cut_off_at_once_does_not_begin_it_anew() {
        let mut desertion = Desertion::new(START);
        desertion.joined(0, old(), at(1));
        desertion.left(0, at(9));
        assert!(!lasts(&mut desertion, LINGER / 2).await);
        desertion.left(1, at(9));
        assert!(lasts(&mut desertion, LINGER).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_began_after_the_lost_one_is_not_taken_for_it() {
        let mut desertion = Desertion::new(START);
        desertion.joined(0, old(), at(100));
        // Its end may show when the next one has begun.
        desertion.left(0, at(200));
        let begun_before = desertion.lasts_too_long().await;
        assert!(at(100) < begun_before && begun_before < at(110), "{begun_before:?}");

        desertion.joined(1, old(), at(300));
        desertion.left(1, at(301));
        assert_eq!(desertion.lasts_too_long().await, at(301));
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_were_lost_are_replaced() {
        let mut desertion = Desertion::new(START);
        desertion.joined(0, old(), at(100));
        desertion.joined(1, old(), at(200));
        desertion.left(1, at(300));
        desertion.left(0, at(400));
        assert!(desertion.lasts_too_long().await > at(200));
    }

    #[tokio::test(start_paused = true)]
    async fn that_those_go_who_were_replaced_is_no_loss() {
        let mut desertion = Desertion::new(START);
        desertion.retired(old());
        assert!(!lasts(&mut desertion, START * 2).await, "nobody has come yet");
        desertion.joined(0, old(), at(100));
        desertion.joined(1, new(), at(200));
        desertion.retired(old());
        assert!(!lasts(&mut desertion, START * 2).await);
        desertion.left(1, at(300));
        let begun_before = desertion.lasts_too_long().await;
        assert!(at(200) < begun_before && begun_before < at(210), "{begun_before:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_was_to_go_is_missed_until_another_comes_and_was_no_loss() {
        let mut desertion = Desertion::new(START);
        desertion.joined(0, old(), at(100));
        desertion.joined(1, old(), at(100));
        desertion.left_well(0);
        desertion.left_well(7);
        assert!(!lasts(&mut desertion, START * 2).await, "another one is there");
        desertion.left_well(1);
        let begun_before = desertion.lasts_too_long().await;
        assert!(begun_before < at(100), "{begun_before:?}");
        desertion.joined(2, old(), at(200));
        assert!(!lasts(&mut desertion, START * 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_replaced_makes_up_for_nobody() {
        let mut desertion = Desertion::new(START);
        desertion.joined(0, old(), at(100));
        desertion.joined(1, new(), at(200));
        desertion.left(1, at(300));
        assert!(!lasts(&mut desertion, START * 2).await);
        desertion.retired(old());
        let begun_before = desertion.lasts_too_long().await;
        assert!(at(200) < begun_before && begun_before < at(210), "{begun_before:?}");
    }
}
