//! A chaincode's process dies while the peer is about to answer a request of it: what the answer
//! finds when it comes is another process, in the same transaction.

use std::time::Duration;

use e2e::{Op, Pending, Process, RangeReader, Turn};
use testbed::process::wait_until;

use crate::ledger;
use crate::link::{SOON, assert_kept, await_asleep};
use crate::releases::on_each_release;

on_each_release!(
    an_answer_to_the_dead_reaches_nobody,
    a_transaction_begins_again_when_the_answer_has_come,
    a_peer_outlives_deaths_amid_range_queries,
);

/// What came of a transaction that lost a process on its way.
struct Outcome {
    /// What its client was told.
    told: Result<String, String>,
    /// The value that it should have copied.
    copy: Result<String, String>,
}

const VALUE: &str = "on the ledger";

/// Has `ledger` call a new chaincode, which calls `other`, which takes so long; kills the new one's
/// process meanwhile. `ledger` then has it copy a value instead, in the same transaction.
fn lose_a_process(turn: &Turn<'_>, name: &str, milliseconds: &str) -> Outcome {
    let package_id = ledger::deploy(turn, name);
    let mut victim = turn.gateway(name);
    victim.call(Op::Submit, &["Put", "source", VALUE]).unwrap();
    let process = Process::known_as(&victim.call(Op::Evaluate, &["Pid"]).unwrap());

    let mark = turn.peer().log().mark();
    let slow = format!(r#"["CallOther","other","","Slow","{milliseconds}","k"]"#);
    let copy = r#"["Copy","source","copy"]"#;
    let mut caller = turn.gateway("ledger");
    let call = caller.start_call(Op::Submit, &["CallInstead", name, &slow, copy]);
    await_asleep(turn, mark, 1);
    process.kill();
    let told = call.result();
    assert_kept(turn, &package_id);
    Outcome { told, copy: victim.call(Op::Evaluate, &["Get", "copy"]) }
}

fn an_answer_to_the_dead_reaches_nobody(turn: &Turn<'_>) {
    // Longer than the proxy waits for the answer.
    let Outcome { told, copy } = lose_a_process(turn, "once-bereft", "4000");
    match (&told, &copy) {
        (Ok(_), copy) => assert_eq!(copy.as_deref(), Ok(VALUE), "committed: {told:?}"),
        (Err(error), Err(none)) => {
            assert!(error.contains("the chaincode's replica ended while it ran this"), "{error}");
            assert!(none.contains(r#"key "copy" has no value"#), "{none}");
        }
        (Err(error), Ok(copy)) => panic!("it failed ({error}) and wrote {copy:?}"),
    }
}

fn a_transaction_begins_again_when_the_answer_has_come(turn: &Turn<'_>) {
    let Outcome { told, copy } = lose_a_process(turn, "once-patient", "1000");
    let told = told.unwrap();
    assert!(told.contains("the chaincode's replica ended while it ran this"), "{told}");
    assert_eq!(copy.as_deref(), Ok(VALUE), "committed: {told:?}");
}

fn a_peer_outlives_deaths_amid_range_queries(turn: &Turn<'_>) {
    const CLIENTS: u64 = 16;
    const COUNT: u64 = 100;
    let package_id = ledger::deploy(turn, "once-reading");
    let peer = turn.peer().pid();
    let mut reader = RangeReader::prepare(turn.peer(), turn.gateway("once-reading"));
    die_amid_queries(turn, &reader);
    leave_open(turn);

    let toll = reader.read_under_fire(CLIENTS, COUNT, 1);
    assert!(toll.is_clean() && toll.died > 0, "{toll:?}");
    assert_eq!((toll.calls, toll.kills), (COUNT, 1), "{toll:?}");
    assert_eq!(turn.peer().pid(), peer);
    assert!(!turn.peer_lines().contains("panic"), "{}", turn.peer().log().tail());
    assert_kept(turn, &package_id);
}

/// The process dies while the peer answers many queries of it, each of which takes long.
fn die_amid_queries(turn: &Turn<'_>, reader: &RangeReader<'_>) {
    const CALLS: usize = 64;
    let mut gateway = turn.gateway("once-reading");
    let process = Process::known_as(&gateway.call(Op::Evaluate, &["Pid"]).unwrap());
    let mark = turn.peer().log().mark();
    let call = |number: usize| reader.gap(&number.to_string());
    let calls: Vec<Pending> = (0..CALLS)
        .map(|number| {
            let (arguments, _) = call(number);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            gateway.start_call(Op::Evaluate, &arguments)
        })
        .collect();
    let asked = || {
        let lines = turn.peer().log().since(mark);
        lines.matches("handling GET_STATE_BY_RANGE from chaincode").count() >= CALLS / 2
    };
    assert!(wait_until(SOON, asked), "{}", turn.peer().log().tail());
    process.kill();
    for (number, pending) in calls.into_iter().enumerate() {
        match pending.result() {
            Ok(answer) => assert_eq!(answer, call(number).1),
            Err(error) => {
                assert!(error.contains("the chaincode's replica ended while it ran"), "{error}");
            }
        }
    }
}

/// Chaincode leaves iterators open, again and again. Of this a peer that is told of the end first
/// crashes within a few calls: it closes them from two sides at once.
fn leave_open(turn: &Turn<'_>) {
    const CLIENTS: u64 = 16;
    const COUNT: u64 = 64;
    const ITERATORS: &str = "32";
    const LIMIT: Duration = Duration::from_mins(2);
    let arguments = ["LeaveOpen", "range-", "range-~", ITERATORS];
    let mut gateway = turn.gateway("once-reading");
    let load = gateway.start_load(Op::Evaluate, CLIENTS, COUNT, &arguments);
    let mut report = None;
    let ended = wait_until(LIMIT, || {
        report = load.try_report();
        report.is_some() || turn.peer().ended().is_some()
    });
    assert!(turn.peer().ended().is_none(), "{}", turn.peer().log().tail());
    let report = report.filter(|_| ended).expect("the load ends");
    assert_eq!((report.count, report.failed), (COUNT, 0), "{:?}", report.errors);
}
