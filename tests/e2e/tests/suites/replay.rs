//! A transaction whose process dies is run again, and nobody can tell: neither who has called, nor
//! who compares what it has read and written.

use std::path::PathBuf;

use e2e::{Op, RangeReader, Turn, processes_of};

use crate::ledger;
use crate::link::assert_kept;
use crate::releases::on_each_release;

on_each_release!(
    a_death_at_any_step_changes_nothing_of_what_was_read_and_written,
    a_death_amid_range_queries_fails_no_call,
);

/// No step of a transaction has this number.
const NEVER: &str = "0";

fn a_death_at_any_step_changes_nothing_of_what_was_read_and_written(turn: &Turn<'_>) {
    const KEYS: usize = 400;
    let package_id = ledger::deploy(turn, "many-steps");
    let mut gateway = turn.gateway("many-steps");
    let pairs = (0..KEYS).flat_map(|number| [format!("range-{number:05}"), format!("v{number}")]);
    let call: Vec<String> = ["PutMany".to_owned()].into_iter().chain(pairs).collect();
    let call: Vec<&str> = call.iter().map(String::as_str).collect();
    gateway.call(Op::Submit, &call).unwrap();
    gateway.call(Op::Submit, &["PutPrivate", "secrets", "kept", "a secret"]).unwrap();

    let undisturbed = gateway.call(Op::Evaluate, &["Everything", NEVER, ""]).unwrap();
    let signed = gateway.call_for_digest(Op::Endorse, &["Everything", NEVER, ""]).unwrap();
    let steps: usize = undisturbed.split(' ').next().unwrap().parse().unwrap();
    assert!(steps > 20, "{undisturbed}");
    // Where it may write, whichever of its processes it is: beside what each has to itself is the image.
    let process = processes_of(turn, &package_id).pop().unwrap();
    let own = PathBuf::from(process.variable("TMPDIR"));
    let files = own.join("../../root").canonicalize().unwrap();
    for step in 1..=steps {
        let file = files.join(step.to_string());
        let call = ["Everything", &step.to_string(), file.to_str().unwrap()];
        let set = gateway.call_for_digest(Op::Endorse, &call);
        assert_eq!(set.as_ref(), Ok(&signed), "its process died after step {step}");
        assert!(file.exists(), "no process died after step {step}");
    }
    let file = files.join("evaluated");
    let again = ["Everything", "7", file.to_str().unwrap()];
    assert_eq!(gateway.call(Op::Evaluate, &again), Ok(undisturbed), "what chaincode was told");
    assert!(file.exists());
    assert_kept(turn, &package_id);
}

fn a_death_amid_range_queries_fails_no_call(turn: &Turn<'_>) {
    const CLIENTS: u64 = 16;
    const COUNT: u64 = 100;
    let package_id = ledger::deploy(turn, "reading");
    let peer = turn.peer().pid();
    let toll = RangeReader::prepare(turn.peer(), turn.gateway("reading"))
        .read_under_fire(CLIENTS, COUNT, 1);
    assert_eq!((toll.calls, toll.kills, toll.right), (COUNT, 1, COUNT), "{toll:?}");
    assert_eq!(turn.peer().pid(), peer);
    assert_kept(turn, &package_id);
}
