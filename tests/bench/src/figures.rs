//! What was found, put together: medians and spreads, ratios, and what they leave open.

use serde::Serialize;

use crate::found::{Kind, Measure, Row, Work};
use crate::spread::{Spread, uncertainty};
use crate::stall::{Longest, Stall};

/// What was found of one kind of load.
#[derive(Serialize)]
pub(crate) struct Figures {
    pub(crate) kind: Kind,
    pub(crate) clients: u64,
    pub(crate) calls: u64,
    pub(crate) latency: Compared,
    pub(crate) throughput: Compared,
    pub(crate) direct: Effort,
    pub(crate) proxied: Effort,
}

#[derive(Serialize)]
pub(crate) struct Compared {
    pub(crate) direct: Spread,
    pub(crate) proxied: Spread,
    pub(crate) ratio: Spread,
    /// The second direct load of a round over the first.
    pub(crate) same: Spread,
    /// By how much the median of the ratio may be off.
    pub(crate) uncertainty: f64,
}

/// What a call costs, and how busy the machine is.
#[derive(Serialize)]
pub(crate) struct Effort {
    /// In microseconds.
    pub(crate) cpu: Shares,
    /// How often threads go to sleep.
    pub(crate) sleeps: Shares,
    /// Parts of the time of all processors.
    pub(crate) busy: Spread,
    pub(crate) stolen: Spread,
}

/// Of one call.
#[derive(Serialize)]
pub(crate) struct Shares {
    pub(crate) peer: Spread,
    pub(crate) chaincode: Spread,
    pub(crate) launcher: Spread,
    pub(crate) together: Spread,
}

#[derive(Serialize)]
pub(crate) struct Stalled {
    pub(crate) what: &'static str,
    pub(crate) evaluate: Spread,
    pub(crate) submit: Spread,
    pub(crate) caller: Spread,
}

impl Figures {
    pub(crate) fn of(row: &Row) -> Self {
        let direct: Vec<&Measure> = row.rounds.iter().flat_map(|round| &round.direct).collect();
        let proxied: Vec<&Measure> = row.rounds.iter().map(|round| &round.proxied).collect();
        Self {
            kind: row.kind,
            clients: row.clients,
            calls: row.count,
            latency: Compared::of(row, |load| load.latency),
            throughput: Compared::of(row, |load| load.throughput),
            direct: Effort::of(&direct),
            proxied: Effort::of(&proxied),
        }
    }

    pub(crate) fn title(&self) -> String {
        let clients = if self.clients == 1 { "client" } else { "clients" };
        format!("{}, {} {clients}", self.kind.name(), self.clients)
    }
}

impl Compared {
    fn of(row: &Row, figure: impl Fn(&Measure) -> f64) -> Self {
        let direct = |[one, other]: &[Measure; 2]| f64::midpoint(figure(one), figure(other));
        let same = |[one, other]: &[Measure; 2]| figure(other) / figure(one);
        let rounds = || row.rounds.iter();
        Self {
            direct: Spread::of(rounds().map(|round| direct(&round.direct))),
            proxied: Spread::of(rounds().map(|round| figure(&round.proxied))),
            ratio: Spread::of(rounds().map(|it| figure(&it.proxied) / direct(&it.direct))),
            same: Spread::of(rounds().map(|round| same(&round.direct))),
            uncertainty: uncertainty(rounds().map(|round| same(&round.direct))),
        }
    }
}

impl Effort {
    fn of(loads: &[&Measure]) -> Self {
        Self {
            cpu: Shares::of(loads, |work| work.cpu),
            sleeps: Shares::of(loads, |work| work.sleeps),
            busy: Spread::of(loads.iter().map(|load| load.machine.busy)),
            stolen: Spread::of(loads.iter().map(|load| load.machine.stolen)),
        }
    }
}

impl Shares {
    fn of(loads: &[&Measure], figure: impl Fn(&Work) -> f64) -> Self {
        let share =
            |of: fn(&Measure) -> &Work| Spread::of(loads.iter().map(|load| figure(of(load))));
        let together = |load: &&Measure| {
            [&load.peer, &load.chaincode, &load.launcher].into_iter().map(&figure).sum()
        };
        Self {
            peer: share(|load| &load.peer),
            chaincode: share(|load| &load.chaincode),
            launcher: share(|load| &load.launcher),
            together: Spread::of(loads.iter().map(together)),
        }
    }
}

impl Stalled {
    /// None of none.
    pub(crate) fn of(stalls: &[Stall]) -> Vec<Self> {
        if stalls.is_empty() {
            return Vec::new();
        }
        let of = |what, longest: fn(&Stall) -> &Longest| {
            let spread = |figure: fn(&Longest) -> f64| {
                Spread::of(stalls.iter().map(|stall| figure(longest(stall))))
            };
            Self {
                what,
                evaluate: spread(|longest| longest.evaluate),
                submit: spread(|longest| longest.submit),
                caller: spread(|longest| longest.caller),
            }
        };
        vec![
            of("nothing happens", |stall| &stall.undisturbed),
            of("a replica is killed and starts again", |stall| &stall.restarted),
            of("a replica is killed and none comes", |stall| &stall.absent),
        ]
    }
}
