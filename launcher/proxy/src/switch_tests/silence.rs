//! Replicas that answer nothing.

use super::*;

#[test]
fn one_that_is_silent_gets_nothing_that_another_one_can_have() {
    let mut bench = Bench::ready(Limits::default());
    let (first, second) = (bench.greeted(), bench.greeted());
    bench.switch.replica_silent(first);
    for txid in ["a", "b", "c"] {
        bench.begin(txid);
    }
    assert!(bench.txids(first).is_empty());
    assert_eq!(bench.txids(second), ["a", "b", "c"]);
    bench.switch.replica_heard(first);
    bench.begin("d");
    assert_eq!(bench.txids(first), ["d"]);
}

#[test]
fn one_that_is_silent_gets_what_no_other_can_have() {
    let mut bench = Bench::ready(Limits::default());
    let only = bench.greeted();
    bench.switch.replica_silent(only);
    bench.begin("a");
    assert_eq!(bench.txids(only), ["a"]);
}

#[test]
fn what_one_had_that_hangs_is_run_again() {
    let mut bench = Bench::ready(Limits::default());
    let (first, second) = (bench.greeted(), bench.greeted());
    bench.begin("a");
    assert_eq!(bench.txids(first), ["a"]);
    bench.events();
    bench.switch.replica_hangs(first, "it did not answer");
    assert_eq!(bench.txids(second), ["a"]);
    let (credential, reason) = (usual(), "it did not answer".to_owned());
    let fates = Fates { answered: 0, run_again: 1 };
    assert_eq!(bench.events(), [Event::ReplicaHung { replica: first, credential, reason, fates }]);
}
