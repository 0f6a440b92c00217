//! Calls that read a long range, and a process that is killed under them again and again: what
//! became of each call, and of the peer.

use std::time::Duration;

use sha2::{Digest, Sha256};
use testbed::Peer;
use testbed::process::wait_until;

use crate::gateway::{Gateway, LoadError, LoadReport, Op, Pending};
use crate::processes::Process;

/// How many keys the range has: a peer passes a range on in batches of a hundred
/// (`core/chaincode/chaincode_support.go`, `MaxResultLimit`), so each call makes some twenty
/// requests.
const KEYS: usize = 2_000;

/// How many keys that are deleted lie in the middle of it. A peer passes over them in one go, which
/// takes some milliseconds: it is amid those that a death finds most calls.
const DELETED: usize = 50_000;

/// How many keys one transaction writes or deletes.
const AT_ONCE: usize = 1_000;

/// How often the process is asked for its ID before it is killed, so that it has work by then.
const ASKED: usize = 3;

/// How long a load may go on after the last death, a restart of the peer included.
const LIMIT: Duration = Duration::from_mins(5);

/// How long a peer that is about to end may take to.
const END: Duration = Duration::from_millis(500);

/// A chaincode of the ledger contract, which reads the range.
pub struct RangeReader<'a> {
    peer: &'a Peer,
    gateway: Gateway,
    /// What each call must return, with its number for `%d`.
    expected: String,
    killed: Option<Process>,
}

/// What became of the calls.
#[derive(Clone, Debug, Default)]
pub struct Toll {
    /// Calls made.
    pub calls: u64,
    /// Calls that returned what is on the ledger.
    pub right: u64,
    /// Calls that returned anything else.
    pub wrong: u64,
    /// Calls that failed, and said of what death.
    pub died: u64,
    /// Calls that failed since the peer was gone.
    pub peerless: u64,
    /// All other failures, and the wrong results.
    pub others: Vec<LoadError>,
    /// How often the process was killed.
    pub kills: u64,
    /// How often the peer ended by itself.
    pub crashes: u64,
    /// What the peer said of that.
    pub panics: Vec<String>,
}

impl<'a> RangeReader<'a> {
    /// Writes the range.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn prepare(peer: &'a Peer, mut gateway: Gateway) -> Self {
        let keys: Vec<String> = (0..KEYS).map(key).collect();
        let mut digest = Sha256::new();
        let mut pairs = Vec::new();
        for key in &keys {
            let value = format!("the value of {key}");
            digest.update(format!("{key}={value}\n"));
            pairs.extend([key.clone(), value]);
        }
        let expected = format!("%d {KEYS} {}", hex::encode(digest.finalize()));
        submit(&mut gateway, "PutMany", &pairs);
        let before = key(KEYS / 2);
        let deleted: Vec<String> = (0..DELETED).map(|n| format!("{before}-{n:05}")).collect();
        submit(&mut gateway, "DeleteMany", &deleted);
        Self { peer, gateway, expected, killed: None }
    }

    /// The call, with this nonce, that reads only where the keys are deleted, and what it must
    /// return.
    pub fn gap(&self, nonce: &str) -> (Vec<String>, String) {
        let before = key(KEYS / 2);
        let nothing = hex::encode(Sha256::digest(b""));
        let call = ["Digest", &format!("{before}-"), &format!("{before}."), nonce];
        (call.map(str::to_owned).into(), format!("{nonce} 0 {nothing}"))
    }

    /// Has it read the range `count` times by so many clients, and kills its process so many times
    /// meanwhile. A peer that crashes is started again.
    ///
    /// # Panics
    ///
    /// When the load does not end.
    pub fn read_under_fire(&mut self, clients: u64, count: u64, kills: u64) -> Toll {
        let mut toll = Toll::default();
        let mark = self.peer.log().mark();
        let arguments = ["Digest", "range-", "range-~", "%d"];
        let load = self.gateway.start_compared_load(
            Op::Evaluate,
            clients,
            count,
            &arguments,
            &self.expected,
        );
        // The calls before are not counted.
        load.await_start();
        let mut report = None;
        while toll.kills < kills && report.is_none() {
            toll.kills += u64::from(self.kill());
            toll.crashes += u64::from(self.revive());
            report = load.try_report();
        }
        let report = report.unwrap_or_else(|| self.end_of(&load, &mut toll));
        toll.count(&report);
        toll.panics = panics(&self.peer.log().since(mark));
        toll
    }

    /// Kills the process that answers now, if one does.
    fn kill(&mut self) -> bool {
        let mut found = None;
        for _ in 0..ASKED {
            found = self.gateway.call(Op::Evaluate, &["Pid"]).ok();
        }
        let found = found.map(|pid| Process::known_as(&pid));
        let is_new = found.is_some() && found != self.killed;
        if let Some(process) = found.filter(|_| is_new) {
            process.kill();
            self.killed = Some(process);
        }
        is_new
    }

    /// Starts the peer again, if it has ended.
    fn revive(&self) -> bool {
        let ended = wait_until(END, || self.peer.ended().is_some());
        if ended {
            self.peer.restart().expect("the peer starts again");
        }
        ended
    }

    fn end_of(&self, load: &Pending, toll: &mut Toll) -> LoadReport {
        let mut report = None;
        let ended = wait_until(LIMIT, || {
            toll.crashes += u64::from(self.peer.ended().is_some() && self.revive());
            report = load.try_report();
            report.is_some()
        });
        report.filter(|_| ended).unwrap_or_else(|| panic!("the load goes on after {LIMIT:?}"))
    }
}

impl Toll {
    fn count(&mut self, report: &LoadReport) {
        self.calls = report.count;
        self.right = report.count - report.failed;
        self.wrong = report.wrong;
        for failure in &report.errors {
            let says = |texts: &[&str]| texts.iter().any(|text| failure.error.contains(text));
            if says(&DEATHS) {
                self.died += failure.count;
            } else if says(&["code = Unavailable"]) {
                self.peerless += failure.count;
            } else {
                self.others.push(failure.clone());
            }
        }
    }

    /// Whether every call returned what is on the ledger or said what death it met, and the peer
    /// lived on.
    pub fn is_clean(&self) -> bool {
        self.right + self.died == self.calls && self.crashes == 0
    }

    /// Adds what became of other calls.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.right += other.right;
        self.wrong += other.wrong;
        self.died += other.died;
        self.peerless += other.peerless;
        self.others.extend(other.others);
        self.kills += other.kills;
        self.crashes += other.crashes;
        self.panics.extend(other.panics);
    }
}

fn key(number: usize) -> String {
    format!("range-{number:05}")
}

/// Calls a function for many arguments, in several transactions.
fn submit(gateway: &mut Gateway, function: &str, arguments: &[String]) {
    let parts = arguments.chunks(2 * AT_ONCE).map(|part| {
        let part = part.iter().map(String::as_str);
        let call: Vec<&str> = [function].into_iter().chain(part).collect();
        gateway.start_call(Op::Submit, &call)
    });
    for part in parts.collect::<Vec<Pending>>() {
        part.result().expect("the range is written");
    }
}

/// The words by which a client learns that its chaincode's process has died: the proxy's, and
/// those of a peer whose own chaincode it was (`core/chaincode/handler.go`).
const DEATHS: [&str; 3] = [
    "the chaincode's replica ended while it ran this transaction",
    "no replica of the chaincode",
    "chaincode stream terminated",
];

/// How many calls of a panic's stack are kept.
const CALLS: usize = 8;

/// The panics in a peer's log: what they say, and in which calls the peer was.
fn panics(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log.lines().collect();
    let begin = |(at, line): (usize, &&str)| line.starts_with("panic:").then_some(at);
    lines.iter().enumerate().filter_map(begin).map(|at| panic(&lines[at..])).collect()
}

/// The panic that the lines begin with. Go writes the calls of the goroutine after its heading
/// (`src/runtime/traceback.go`), each with a tabulator and its place below it.
fn panic(lines: &[&str]) -> String {
    let stack = lines.iter().skip_while(|line| !line.starts_with("goroutine ")).skip(1);
    let calls = stack.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with('\t'));
    let calls = calls.take(CALLS).map(|call| format!("\n    {call}"));
    [lines[0].to_owned()].into_iter().chain(calls).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_the_calls_it_happened_in() {
        let log = "orderly\npanic: runtime error: nil\n[signal SIGSEGV]\n\n\
                   goroutine 7 [running]:\nleveldb.(*dbIter).Next(0x0)\n\t/src/iter.go:1 +0x1\n\
                   peer.main()\n\t/src/main.go:2\n\ngoroutine 8 [runnable]:\nother()\n";
        let told = "panic: runtime error: nil\n    leveldb.(*dbIter).Next(0x0)\n    peer.main()";
        assert_eq!(panics(log), [told]);
    }
}
