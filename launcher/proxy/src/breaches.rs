//! Who broke the protocol again and again, and gets no transactions for a while.
//!
//! A replica that was cut off comes back without a transaction in flight: it would be the first
//! to get the next one each time, and spoil it.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::replica::Place;

/// After this time without a breach the earlier ones are forgotten.
const FORGIVEN: Duration = Duration::from_mins(2);

/// How long the second breach bars; each further one bars twice as long.
const FIRST: Duration = Duration::from_secs(1);

/// The longest bar.
const LONGEST: Duration = Duration::from_mins(1);

/// The breaches of those that come from one place, a pod or this machine, with one credential:
/// nobody can tell them from one another. What others from there have done is not held against
/// them: they may be there to replace those.
#[derive(Default)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Breaches(HashMap<Place, Record>);

#[cfg_attr(test, derive(Clone))]
struct Record {
    count: u32,
    last: Instant,
}

impl Breaches {
    /// One of them broke the protocol.
    pub(crate) fn count(&mut self, place: Place, now: Instant) {
        // Bounded by how many can be cut off in that time.
        self.0.retain(|_, record| now < record.last + FORGIVEN);
        let record = self.0.entry(place).or_insert(Record { count: 0, last: now });
        record.count += 1;
        record.last = now;
    }

    /// Until when they get nothing, if they are barred.
    pub(crate) fn barred_until(&self, place: Place, now: Instant) -> Option<Instant> {
        let record = self.0.get(&place)?;
        if now >= record.last + FORGIVEN {
            return None;
        }
        let doublings = record.count.checked_sub(2)?;
        let bar = FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST);
        Some(record.last + bar).filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::identity::Credential;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

    fn mine() -> Place {
        Place { origin: HERE.into(), credential: Credential::of(b"mine") }
    }

    #[test]
    fn the_first_is_free_and_each_further_one_bars_for_longer() {
        let (mut breaches, now) = (Breaches::default(), Instant::now());
        let mut bars = Vec::new();
        for _ in 0..9 {
            breaches.count(mine(), now);
            bars.push(breaches.barred_until(mine(), now).map(|until| (until - now).as_secs()));
        }
        let expected = [0, 1, 2, 4, 8, 16, 32, 60, 60].map(|bar| Some(bar).filter(|bar| *bar > 0));
        assert_eq!(bars, expected);
        assert_eq!(breaches.barred_until(Place { origin: THERE.into(), ..mine() }, now), None);
        let anothers = Place { credential: Credential::of(b"another's"), ..mine() };
        assert_eq!(breaches.barred_until(anothers, now), None);
    }

    #[test]
    fn who_keeps_to_it_is_forgiven() {
        let (mut breaches, now) = (Breaches::default(), Instant::now());
        breaches.count(mine(), now);
        breaches.count(mine(), now);
        assert_eq!(breaches.barred_until(mine(), now + FIRST), None);
        breaches.count(mine(), now + FORGIVEN);
        assert_eq!(breaches.barred_until(mine(), now + FORGIVEN), None);
    }
}
