//! What the whole machine does: whether its processors are what a load waits for.

use std::fs;

/// What the processors of the machine have done up to a moment, in ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    idle: u64,
    stolen: u64,
    all: u64,
}

/// Parts of the time of all processors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Busy {
    /// In which they worked, whoever for.
    pub(crate) busy: f64,
    /// In which the host of a virtual machine had them work for others.
    pub(crate) stolen: f64,
}

impl Machine {
    pub(crate) fn now() -> Self {
        Self::parse(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// proc(5): user, nice, system, idle, iowait, irq, softirq, steal; guests are in user.
    fn parse(stat: &str) -> Self {
        let words = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
        let ticks: Vec<u64> = words.take(8).filter_map(|word| word.parse().ok()).collect();
        let at = |index| ticks.get(index).copied().unwrap_or(0);
        Self { idle: at(3) + at(4), stolen: at(7), all: ticks.iter().sum() }
    }

    /// What they have done since.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(crate) fn since(self, earlier: Self) -> Busy {
        let all = self.all.saturating_sub(earlier.all).max(1) as f64;
        let part = |now: u64, before: u64| now.saturating_sub(before) as f64 / all;
        let stolen = part(self.stolen, earlier.stolen);
        Busy { busy: 1.0 - part(self.idle, earlier.idle) - stolen, stolen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_busy_when_it_is_neither_idle_nor_stolen() {
        let before = Machine::parse("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3\n");
        let after = Machine::parse("cpu  140 0 70 820 60 0 5 5 0 0\n");
        let Busy { busy, stolen } = after.since(before);
        assert!((busy - 0.65).abs() < 1e-9 && (stolen - 0.05).abs() < 1e-9, "{busy}, {stolen}");
        assert!(Machine::now().all > 0);
    }
}
