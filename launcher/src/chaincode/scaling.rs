//! How many replicas there are to be by what there is to do (`chaincode.scaling`).
//!
//! What there is to do is looked at every now and then. More replicas are wanted as soon as the mean of
//! the last looks asks for them, fewer only when no mean has asked for more for a while.

use std::collections::VecDeque;
use std::time::Duration;

use selvedge_config::{Chaincode, Execution, ScaledBy};
use tokio::time::Instant;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(500);

/// Of how many looks the mean is taken.
const LOOKS: usize = 6;

/// The number of replicas of one set, which follows what there is to do.
pub(super) struct Scaling {
    least: usize,
    most: usize,
    in_flight: usize,
    calm: Duration,
    /// How many transactions there were, of late.
    looks: VecDeque<usize>,
    /// How many replicas are wanted now.
    wanted: usize,
    /// Since when so many would do, and no more were asked for.
    enough: Option<(usize, Instant)>,
    next: Instant,
}

impl Scaling {
    /// By these settings, if the launcher has the number follow anything, of a set
    /// that begins with so many.
    pub(super) fn of(settings: &Chaincode, wanted: usize) -> Option<Self> {
        let Execution::Service { replicas, most } = settings.execution() else { return None };
        let (least, most) = (usize::from(replicas), usize::from(most));
        (least < most && settings.scaling.by == ScaledBy::Launcher).then(|| Self {
            least,
            most,
            in_flight: settings.scaling.in_flight.get().into(),
            calm: settings.scaling.calm.duration(),
            looks: VecDeque::with_capacity(LOOKS),
            wanted,
            enough: None,
            next: Instant::now() + LOOK,
        })
    }

    /// When is looked next.
    pub(super) fn next_look(&self) -> Instant {
        self.next
    }

    /// So many transactions are there now; how many replicas are wanted from now on, if that is not what
    /// it was.
    pub(super) fn looked(&mut self, transactions: usize, now: Instant) -> Option<usize> {
        self.next = now + LOOK;
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back(transactions);
        if self.looks.len() < LOOKS {
            return None;
        }
        let all: usize = self.looks.iter().sum();
        let asked = all.div_ceil(LOOKS * self.in_flight).clamp(self.least, self.most);
        if asked >= self.wanted {
            self.enough = None;
            return self.change(asked);
        }
        let (most_asked, since) = self.enough.unwrap_or((asked, now));
        let enough = most_asked.max(asked);
        if now < since + self.calm {
            self.enough = Some((enough, since));
            return None;
        }
        self.enough = None;
        self.change(enough)
    }

    fn change(&mut self, wanted: usize) -> Option<usize> {
        (std::mem::replace(&mut self.wanted, wanted) != wanted).then_some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use selvedge_config::{Operator, Subject};

    use super::*;

    fn settings(text: &str) -> Chaincode {
        let text = format!("apiVersion: selvedge/v1\nbackend: local\nchaincode: {{{text}}}\n");
        let operator = Operator::read(text.as_bytes()).unwrap();
        let subject = Subject { label: "a".into(), msp: "Org1MSP".into(), peer: "p".into() };
        operator.chaincode(&subject).unwrap()
    }

    fn scaling() -> Scaling {
        let settings = settings("replicas: 2, scaling: {maxReplicas: 4, inFlight: 10, calm: 1m}");
        Scaling::of(&settings, 2).unwrap()
    }

    /// Looks until the mean is of this alone; what was wanted meanwhile.
    fn sees(scaling: &mut Scaling, transactions: usize) -> Vec<usize> {
        let looks = (0..LOOKS).filter_map(|_| {
            let now = scaling.next_look();
            scaling.looked(transactions, now)
        });
        looks.collect()
    }

    #[test]
    fn what_does_not_scale_is_not_looked_at() {
        assert!(Scaling::of(&settings("replicas: 2"), 0).is_none());
        assert!(Scaling::of(&settings("execution: function"), 0).is_none());
        assert!(Scaling::of(&settings("scaling: {maxReplicas: 4}"), 1).is_some());
    }

    #[test]
    fn more_replicas_come_as_the_mean_asks_for_them() {
        let mut scaling = scaling();
        assert!(sees(&mut scaling, 20).is_empty(), "what they can have");
        assert_eq!(sees(&mut scaling, 31), [3, 4]);
        assert!(sees(&mut scaling, 500).is_empty(), "no more than may be");
    }

    #[test]
    fn a_moment_with_much_to_do_is_none() {
        let mut scaling = scaling();
        assert!(sees(&mut scaling, 10).is_empty());
        let now = scaling.next_look();
        assert_eq!(scaling.looked(60, now), None);
        assert!(sees(&mut scaling, 10).is_empty());
    }

    #[test]
    fn fewer_are_left_when_no_more_were_asked_for_in_a_while() {
        let mut scaling = scaling();
        sees(&mut scaling, 40);
        assert_eq!(scaling.wanted, 4);
        let calm_from = scaling.next_look();
        let mut last = calm_from;
        while last < calm_from + Duration::from_secs(40) {
            last = scaling.next_look();
            // In between three are asked for.
            let load = if last < calm_from + Duration::from_secs(20) { 0 } else { 25 };
            assert_eq!(scaling.looked(load, last), None);
        }
        while scaling.wanted == 4 {
            last = scaling.next_look();
            scaling.looked(0, last);
        }
        assert_eq!(scaling.wanted, 3);
        assert!(last >= calm_from + Duration::from_mins(1));
        while scaling.wanted == 3 {
            last = scaling.next_look();
            scaling.looked(0, last);
        }
        assert_eq!(scaling.wanted, 2);
        assert!(last >= calm_from + Duration::from_mins(2));
    }
}
