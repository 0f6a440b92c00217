//! A goroutine that a chaincode has left behind speaks in a transaction that has ended long ago.

use e2e::{Op, Process, Turn};

use crate::link::{assert_kept, await_asleep};
use crate::releases::on_each_release;

on_each_release!(a_late_request_is_refused_and_costs_nothing);

/// Transactions that end in between: more than anybody would remember for long.
const OTHERS: u64 = 200;

fn a_late_request_is_refused_and_costs_nothing(turn: &Turn<'_>) {
    let mut gateway = turn.gateway("ledger");
    gateway.call(Op::Submit, &["Put", "late", "v"]).unwrap();
    let process = Process::known_as(&gateway.call(Op::Evaluate, &["Pid"]).unwrap());
    gateway.call(Op::Evaluate, &["Leave", "late"]).unwrap();
    let between = gateway.load(Op::Evaluate, 8, OTHERS, &["Get", "late"]);
    assert_eq!(between.failed, 0, "{between:?}");

    let mark = turn.peer().log().mark();
    let neighbour = gateway.start_call(Op::Evaluate, &["Slow", "1000", "late"]);
    await_asleep(turn, mark, 1);
    let told = gateway.call(Op::Evaluate, &["Recall"]).unwrap();
    assert!(told.starts_with("refused: "), "{told}");
    assert_eq!(neighbour.result().unwrap(), "v");
    let now = Process::known_as(&gateway.call(Op::Evaluate, &["Pid"]).unwrap());
    assert_eq!(now, process, "it was replaced");
    assert_kept(turn, "ledger_1.0:");
}
