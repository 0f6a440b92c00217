//! Which of a run's replicas the proxy has lost, and when something is to be done about one that does
//! not end.
//!
//! What comes from one address is one pod's, and is lost when nothing of it is registered any more.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use tokio::time::Instant;

use crate::backend::Meeting;
use crate::desertion::LINGER;

/// What the proxy has lost at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) address: IpAddr,
    /// When the last one of its streams had begun: the process before that.
    pub(super) joined: Instant,
    /// It was given up since it did not answer.
    pub(super) hangs: bool,
}

/// All that are registered, and those that were.
#[derive(Default)]
pub(super) struct Losses {
    /// Since when each stream is, by its other end.
    streams: BTreeMap<SocketAddr, Instant>,
    /// What was lost, and when something is to be done about it.
    lost: BTreeMap<IpAddr, (Loss, Instant)>,
}

impl Losses {
    /// The proxy has something to do with who is at the other end there.
    pub(super) fn heard(&mut self, end: SocketAddr, meeting: Meeting, now: Instant) {
        let end = SocketAddr::new(end.ip().to_canonical(), end.port());
        let hangs = match meeting {
            Meeting::Joined => {
                self.streams.insert(end, now);
                self.lost.remove(&end.ip());
                return;
            }
            Meeting::Hung => true,
            Meeting::Lost | Meeting::Released => false,
        };
        let Some(joined) = self.streams.remove(&end) else { return };
        let address = end.ip();
        // One that hangs has been followed by nobody but who came later: what came before it is left
        // over.
        let is_followed = |(other, since): (&SocketAddr, &Instant)| {
            other.ip() == address && (!hangs || *since >= joined)
        };
        if self.streams.iter().any(is_followed) {
            return;
        }
        let due = if hangs { now } else { now + LINGER };
        self.lost.insert(address, (Loss { address, joined, hangs }, due));
    }

    /// Those about which something is to be done by now; nothing is known of them any more.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Loss> {
        let due = self.lost.extract_if(.., |_, (_, due)| *due <= now);
        due.map(|(_, (loss, _))| loss).collect()
    }

    /// When something is to be done next, if anything.
    pub(super) fn next_moment(&self) -> Option<Instant> {
        self.lost.values().map(|(_, due)| *due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The losses, and the other ends of two streams from one pod, and of one from another.
    fn scene() -> (Losses, [SocketAddr; 3], Instant) {
        let ends = ["10.0.0.1:40001", "10.0.0.1:40002", "10.0.0.2:40001"];
        let ends = ends.map(|end| end.parse().unwrap());
        let (mut losses, now) = (Losses::default(), Instant::now());
        losses.heard(ends[0], Meeting::Joined, now);
        losses.heard(ends[2], Meeting::Joined, now);
        (losses, ends, now)
    }

    fn at(end: SocketAddr, joined: Instant, hangs: bool) -> Vec<Loss> {
        vec![Loss { address: end.ip(), joined, hangs }]
    }

    #[test]
    fn one_that_hangs_is_due_at_once_and_one_that_is_lost_when_it_has_had_its_time() {
        let (mut losses, [one, _, other], now) = scene();
        assert_eq!(losses.next_moment(), None);
        losses.heard(one, Meeting::Hung, now);
        losses.heard(other, Meeting::Lost, now);
        assert_eq!(losses.due(now), at(one, now, true));
        assert_eq!(losses.due(now), []);
        let due = losses.next_moment().unwrap();
        assert_eq!(due, now + LINGER);
        assert_eq!(losses.due(due), at(other, now, false));
        assert_eq!(losses.next_moment(), None);
    }

    #[test]
    fn a_pod_from_which_another_stream_is_there_has_lost_nobody() {
        let (mut losses, [one, another, _], now) = scene();
        losses.heard(another, Meeting::Joined, now);
        losses.heard(one, Meeting::Hung, now);
        assert_eq!(losses.next_moment(), None);
        let later = now + LINGER;
        losses.heard(another, Meeting::Lost, later);
        assert_eq!(losses.due(later + LINGER), at(one, now, false));
    }

    #[test]
    fn one_that_hangs_is_lost_whatever_was_there_before_it() {
        let (mut losses, [one, another, _], now) = scene();
        let later = now + LINGER;
        losses.heard(another, Meeting::Joined, later);
        losses.heard(another, Meeting::Hung, later);
        assert_eq!(losses.due(later), at(one, later, true));
    }

    #[test]
    fn one_that_is_back_in_time_is_not_lost() {
        let (mut losses, [one, another, _], now) = scene();
        losses.heard(one, Meeting::Lost, now);
        losses.heard(another, Meeting::Joined, now + LINGER / 2);
        assert_eq!(losses.due(now + LINGER), []);
    }

    #[test]
    fn an_address_is_the_same_in_either_way_of_writing_and_a_stranger_is_nobody() {
        let (mut losses, [one, another, _], now) = scene();
        losses.heard(another, Meeting::Lost, now);
        assert_eq!(losses.next_moment(), None);
        let mapped = "[::ffff:10.0.0.1]:40001".parse().unwrap();
        losses.heard(mapped, Meeting::Hung, now);
        assert_eq!(losses.due(now), at(one, now, true));
    }
}
