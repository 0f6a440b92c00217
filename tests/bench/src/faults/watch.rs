//! Clients that call while something fails.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{Gateway, Op, Pending};
use testbed::process::wait_until;

use super::notice::{Loads, Notice};

/// Of each kind, for the chaincode that is to suffer, and for its neighbour.
const CLIENTS: u64 = 8;
const NEIGHBOURS: u64 = 2;

/// What is read, and has to be what comes back.
const VALUE: &str = "v";

/// How long all goes well before.
const LEAD: Duration = Duration::from_secs(1);

/// By then everything has to be normal again.
const NORMAL: Duration = Duration::from_mins(1);

/// Longer than any fault: loads are ended by who began them.
const ENDLESS: Duration = Duration::from_mins(10);

/// From here on an answer is slow: a block is cut every 200 ms where there are few transactions.
const SLOW: Duration = Duration::from_millis(500);

/// Clients of a chaincode and of its neighbour on the same channel.
pub(crate) struct Callers<'a> {
    /// Makes a client of the chaincode with that name.
    pub(crate) connect: &'a dyn Fn(&str) -> Gateway,
    /// The name of the chaincode that is to suffer.
    pub(crate) victim: &'a str,
    /// That of the neighbour.
    pub(crate) neighbour: &'a str,
}

impl Callers<'_> {
    /// Has them call while something fails, and for so long after it has. Keys begin with `prefix`,
    /// which nobody else uses. `replayed` says how many transactions were run again so far.
    pub(crate) fn watch(
        &self,
        prefix: &str,
        after: Duration,
        fault: impl FnOnce() -> Result<()>,
        replayed: impl Fn() -> u64,
    ) -> Result<Notice> {
        let mut asker = (self.connect)(self.victim);
        let kept = format!("{prefix}kept");
        call(&mut asker, Op::Submit, &["Put", &kept, VALUE])?;
        let written = format!("{prefix}w-");
        let before = replayed();
        let loads = [
            self.begin(self.victim, Op::Evaluate, CLIENTS, &["Get", &kept]),
            self.begin(self.victim, Op::Submit, CLIENTS, &["Put", &format!("{written}%d"), "v"]),
            self.begin(self.neighbour, Op::Evaluate, NEIGHBOURS, &["Get", "k"]),
            self.begin(self.neighbour, Op::Submit, NEIGHBOURS, &["Put", "key-%d", "v"]),
        ];
        for (_, load) in &loads {
            load.await_start();
        }
        let began = Instant::now();
        std::thread::sleep(LEAD);
        let fault_at = began.elapsed();
        fault()?;
        std::thread::sleep(after);
        let [reads, writes, neighbour @ ..] =
            loads.map(|(mut gateway, load)| gateway.end_load(load));
        // Each client of a load has called once before, to warm up.
        let on_ledger = count(&mut asker, &written)?.saturating_sub(CLIENTS);
        let loads = Loads { reads, writes, neighbour };
        // A launcher that was started again counts from nothing.
        Ok(Notice::of(&loads, fault_at, on_ledger, replayed().saturating_sub(before)))
    }

    fn begin(
        &self,
        chaincode: &str,
        op: Op,
        clients: u64,
        arguments: &[&str],
    ) -> (Gateway, Pending) {
        let mut gateway = (self.connect)(chaincode);
        let expected = if op == Op::Evaluate { VALUE } else { "" };
        let load = gateway.start_watched_load(op, clients, (ENDLESS, SLOW), arguments, expected);
        (gateway, load)
    }
}

/// How many keys of the ledger begin so, as soon as somebody answers.
fn count(asker: &mut Gateway, prefix: &str) -> Result<u64> {
    let end = format!("{prefix}~");
    let mut ask = || call(asker, Op::Evaluate, &["Digest", prefix, &end, "n"]);
    let mut answer = ask();
    wait_until(NORMAL, || {
        if answer.is_err() {
            answer = ask();
        }
        answer.is_ok()
    });
    let answer = answer.context("nobody answers again")?;
    let count = answer.split(' ').nth(1).and_then(|count| count.parse().ok());
    count.with_context(|| format!("{answer:?} has no number"))
}

fn call(asker: &mut Gateway, op: Op, arguments: &[&str]) -> Result<String> {
    let answer = asker.call(op, arguments);
    ensure!(answer.is_ok(), "{arguments:?}: {answer:?}");
    answer.map_err(anyhow::Error::msg)
}
