//! What transactions took.

use selvedge_proto::launcher::Traffic;
use serde::Serialize;

/// What transactions took, in seconds.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Latency {
    pub(super) mean: f64,
    /// No more than this took half of them, by an estimate between two bounds; that is the last
    /// bound at most.
    pub(super) p50: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
}

impl Latency {
    /// Of those that have ended, if any has.
    pub(super) fn of(traffic: &Traffic) -> Option<Self> {
        let number: u64 = traffic.took.iter().sum();
        let quantile = |part| quantile(traffic, part, number);
        (number > 0).then(|| Self {
            mean: rounded(traffic.seconds / approximate(number)),
            p50: quantile(0.5),
            p95: quantile(0.95),
            p99: quantile(0.99),
        })
    }
}

/// Where so large a part of all lies below, as Prometheus' `histogram_quantile` has it: between two
/// bounds they are taken to be spread evenly.
fn quantile(traffic: &Traffic, part: f64, number: u64) -> f64 {
    let wanted = part * approximate(number);
    let (mut below, mut floor) = (0.0, 0.0);
    for (bound, number) in traffic.bounds.iter().zip(&traffic.took) {
        let number = approximate(*number);
        if below + number >= wanted {
            return rounded(floor + (bound - floor) * ((wanted - below) / number));
        }
        (below, floor) = (below + number, *bound);
    }
    floor
}

/// To the microsecond, which is more than is known.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "a count for an estimate")]
fn approximate(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(took: &[u64], seconds: f64) -> Option<Latency> {
        let (took, bounds) = (took.to_vec(), vec![0.001, 0.01, 0.1]);
        Latency::of(&Traffic { took, bounds, seconds, ..Traffic::default() })
    }

    #[test]
    fn between_two_bounds_they_are_spread_evenly() {
        assert_eq!(latency(&[0, 0, 0, 0], 0.0), None);
        assert_eq!(latency(&[], 0.0), None);
        assert_eq!(
            latency(&[0, 100, 0, 0], 0.5),
            Some(Latency { mean: 0.005, p50: 0.0055, p95: 0.00955, p99: 0.00991 })
        );
        // Beyond the last bound nobody knows how far.
        let slow = latency(&[1, 0, 0, 99], 990.0).unwrap();
        assert_eq!((slow.mean, slow.p50, slow.p99), (9.9, 0.1, 0.1));
    }
}
