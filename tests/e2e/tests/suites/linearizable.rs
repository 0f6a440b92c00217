//! Whatever dies while clients read and write: there is one order of all that they did which explains
//! what each of them saw. Nobody read what was not committed, or a value that had been replaced, and
//! nobody was told of a success that was none.

use std::time::Duration;

use e2e::{Gateway, Op, Turn, processes_of};
use testbed::process::wait_until;

use crate::ledger;
use crate::link::SOON;
use crate::releases::on_each_release;

on_each_release!(
    a_history_in_which_replicas_die_is_linearizable,
    a_history_in_which_the_launcher_is_killed_is_linearizable,
    a_history_in_which_the_peer_is_killed_is_linearizable,
);

const CLIENTS: u64 = 8;

/// Few, so that all clients are after the same.
const KEYS: u64 = 3;

/// How long a history is: the time is what makes it one.
const TIME: Duration = Duration::from_secs(4);

fn a_history_in_which_replicas_die_is_linearizable(turn: &Turn<'_>) {
    const KILLS: usize = 2;
    let (package_id, mut gateway) = deploy(turn, "replicas-die");
    let history = gateway.start_history(CLIENTS, KEYS, TIME);
    history.await_start();
    for _ in 0..KILLS {
        let before = processes_of(turn, &package_id);
        before[0].kill();
        let another = || !processes_of(turn, &package_id).is_empty();
        let is_gone = || !processes_of(turn, &package_id).contains(&before[0]);
        assert!(wait_until(SOON, || is_gone() && another()));
    }
    let verdict = history.verdict();
    assert_eq!(verdict.linearizable, "Ok", "{verdict:?}");
    assert_eq!((verdict.failed, verdict.unknown), (0, 0), "{verdict:?}");
    assert!(verdict.writes > CLIENTS && verdict.reads > CLIENTS, "{verdict:?}");
}

fn a_history_in_which_the_launcher_is_killed_is_linearizable(turn: &Turn<'_>) {
    assert_linearizable(turn, "launcher-is-killed", || {
        turn.launcher.kill();
        turn.launcher.restart().unwrap();
    });
}

fn a_history_in_which_the_peer_is_killed_is_linearizable(turn: &Turn<'_>) {
    assert_linearizable(turn, "peer-is-killed", || {
        turn.peer().kill();
        turn.peer().restart().unwrap();
    });
}

/// Deploys the ledger contract and waits until it answers.
fn deploy(turn: &Turn<'_>, name: &str) -> (String, Gateway) {
    let package_id = ledger::deploy(turn, name);
    let mut gateway = turn.gateway(name);
    gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    (package_id, gateway)
}

/// Whoever calls meanwhile may be told of a failure, or nothing.
fn assert_linearizable(turn: &Turn<'_>, name: &str, fault: impl FnOnce()) {
    let (_, mut gateway) = deploy(turn, name);
    let history = gateway.start_history(CLIENTS, KEYS, TIME);
    history.await_start();
    fault();
    let verdict = history.verdict();
    assert_eq!(verdict.linearizable, "Ok", "{verdict:?}");
    let told = verdict.reads + verdict.writes - verdict.failed - verdict.unknown;
    assert!(told > CLIENTS, "{verdict:?}");
}
