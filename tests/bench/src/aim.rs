//! What the proxy may cost, and whether it costs no more.

use serde::Serialize;

use crate::figures::{Compared, Figures};
use crate::found::Kind;

/// A bound on a ratio of evaluate, proxied over direct.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// What a ratio says of a bound, within what the noise leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Met,
    MetWithinNoise,
    MissedWithinNoise,
    Missed,
}

/// One aim, and what was found.
#[derive(Serialize)]
pub(crate) struct Aim {
    what: String,
    bound: Bound,
    found: f64,
    uncertainty: f64,
    verdict: Verdict,
}

/// What is aimed at, by the number of clients.
const AIMS: [(u64, Bound); 3] =
    [(1, Bound::AtMost(1.05)), (16, Bound::AtLeast(0.95)), (64, Bound::AtLeast(0.95))];

/// The aims about which the rows say something.
pub(crate) fn of(rows: &[Figures]) -> Vec<Aim> {
    let row =
        |clients| rows.iter().find(move |row| row.kind == Kind::Evaluate && row.clients == clients);
    let aim = |(clients, bound)| row(clients).map(|row| Aim::of(bound, row));
    AIMS.into_iter().filter_map(aim).collect()
}

pub(crate) fn print(aims: &[Aim]) {
    if aims.is_empty() {
        return;
    }
    println!("\n{:<36}{:>16}{:>16}", "aims", "bound", "found");
    for Aim { what, bound, found, uncertainty, verdict } in aims {
        let found = format!("{found:.3} ± {uncertainty:.3}");
        println!("{what:<36}{:>16}{found:>16}  {}", bound.words(), verdict.words());
    }
}

impl Aim {
    fn of(bound: Bound, row: &Figures) -> Self {
        let (name, compared) = match bound {
            Bound::AtMost(_) => ("latency", &row.latency),
            Bound::AtLeast(_) => ("throughput", &row.throughput),
        };
        let Compared { ratio, uncertainty, .. } = compared;
        Self {
            what: format!("{name} of {}", row.title()),
            bound,
            found: ratio.median,
            uncertainty: *uncertainty,
            verdict: bound.judge(ratio.median, *uncertainty),
        }
    }
}

impl Bound {
    fn judge(self, found: f64, uncertainty: f64) -> Verdict {
        let margin = match self {
            Self::AtMost(most) => most - found,
            Self::AtLeast(least) => found - least,
        };
        match (margin >= 0.0, margin.abs() >= uncertainty) {
            (true, true) => Verdict::Met,
            (true, false) => Verdict::MetWithinNoise,
            (false, false) => Verdict::MissedWithinNoise,
            (false, true) => Verdict::Missed,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtMost(most) => format!("at most {most}"),
            Self::AtLeast(least) => format!("at least {least}"),
        }
    }
}

impl Verdict {
    fn words(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::MetWithinNoise => "met, by less than the noise: more rounds would tell",
            Self::MissedWithinNoise => "NOT met, by less than the noise: more rounds would tell",
            Self::Missed => "NOT met",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_judged_with_the_noise_in_mind() {
        let most = |found| Bound::AtMost(1.05).judge(found, 0.02);
        assert_eq!(most(1.02), Verdict::Met);
        assert_eq!(most(1.04), Verdict::MetWithinNoise);
        assert_eq!(most(1.06), Verdict::MissedWithinNoise);
        assert_eq!(most(1.08), Verdict::Missed);
        let least = |found| Bound::AtLeast(0.95).judge(found, 0.02);
        assert_eq!(least(0.98), Verdict::Met);
        assert_eq!(least(0.96), Verdict::MetWithinNoise);
        assert_eq!(least(0.94), Verdict::MissedWithinNoise);
        assert_eq!(least(0.90), Verdict::Missed);
    }
}
