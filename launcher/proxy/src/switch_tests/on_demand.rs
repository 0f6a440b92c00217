//! Replicas that are there while they are called for.

use std::num::{NonZeroU32, NonZeroUsize};

use super::*;
use crate::on_demand::OnDemand;

const IDLE: Duration = Duration::from_mins(1);

/// One at a time, of which each has two calls at once.
fn terms() -> OnDemand {
    OnDemand {
        credential: usual(),
        concurrency: NonZeroUsize::new(2).unwrap(),
        calls: None,
        idle: IDLE,
        ahead: 0,
        most: NonZeroUsize::MIN,
        wait: Limits::default().replica_wait,
    }
}

/// One for each call, two at a time.
fn once() -> OnDemand {
    OnDemand { calls: NonZeroU32::new(1), most: NonZeroUsize::new(2).unwrap(), ..terms() }
}

/// A bench without a replica, whose peer is ready.
fn bench(terms: OnDemand) -> Bench {
    let mut bench = Bench::new(Limits::default());
    bench.switch.set_on_demand(Some(terms));
    bench.switch.peer_is_ready(ready());
    assert_eq!(bench.events(), [Event::Ready, wanted(terms.ahead)]);
    bench
}

fn wanted(processes: usize) -> Event {
    Event::Wanted { credential: usual(), processes }
}

fn released(replica: ReplicaId) -> Event {
    Event::ReplicaReleased { replica, credential: usual(), place: ReplicaPlace::default() }
}

#[test]
fn the_peer_is_asked_at_once() {
    let mut bench = Bench::new(Limits::default());
    assert!(!bench.switch.start_registration());
    bench.switch.set_on_demand(Some(terms()));
    assert!(bench.switch.start_registration());
    assert!(bench.events().is_empty(), "nobody calls yet");
}

#[test]
fn a_call_calls_for_one_which_goes_when_it_has_had_its_calls() {
    let mut bench = bench(once());
    for (first, txid) in [(true, "a"), (false, "b")] {
        bench.begin(txid);
        assert_eq!(bench.events(), [wanted(1)]);
        let one = bench.replica();
        assert_eq!(bench.events(), [came(one, usual()), wanted(1)]);
        assert_eq!(bench.kinds(one), [Type::Registered, Type::Ready, Type::Transaction]);
        if first {
            bench.says(one, Type::GetState, txid);
            bench.answers(txid);
            assert_eq!(bench.kinds(one), [Type::Response]);
        }
        bench.says(one, Type::Completed, txid);
        assert_eq!(bench.events(), [released(one), wanted(0)]);
        assert!(bench.is_let_go(one));
        let last = bench.said_to_peer().pop().unwrap();
        assert_eq!((last.0, last.1.as_str()), (Type::Completed, txid));
    }
}

#[test]
fn what_has_no_room_waits_for_it_in_its_order() {
    let mut bench = bench(terms());
    for txid in ["a", "b", "c", "d"] {
        bench.begin(txid);
    }
    assert_eq!(bench.events(), [wanted(1)], "there is one at a time");
    let one = bench.replica();
    assert_eq!(bench.txids(one)[2..], ["a", "b"]);
    bench.says(one, Type::Completed, "b");
    assert_eq!(bench.txids(one), ["c"]);
    bench.says(one, Type::Error, "a");
    assert_eq!(bench.txids(one), ["d"]);
    assert_eq!(bench.events(), [came(one, usual()), wanted(1)]);
}

#[test]
fn another_one_is_called_for_where_there_may_be_more() {
    let mut bench = bench(once());
    bench.begin("a");
    bench.begin("b");
    bench.begin("c");
    assert_eq!(bench.events(), [wanted(2)]);
    let (one, other) = (bench.replica(), bench.replica());
    assert_eq!(bench.txids(one)[2..], ["a"]);
    assert_eq!(bench.txids(other)[2..], ["b"]);
    bench.events();
    // The third one has waited for a process to end.
    bench.says(one, Type::Completed, "a");
    assert_eq!(bench.events(), [released(one), wanted(2)]);
}

#[test]
fn a_call_goes_to_who_is_at_work_so_that_others_may_go() {
    let most = NonZeroUsize::new(2).unwrap();
    let mut bench = bench(OnDemand { most, ..terms() });
    let (one, other) = (bench.greeted(), bench.greeted());
    for txid in ["a", "b", "c"] {
        bench.begin(txid);
    }
    assert_eq!(bench.txids(one), ["a", "b"]);
    assert_eq!(bench.txids(other), ["c"]);
    for (id, txid) in [(one, "a"), (one, "b"), (other, "c")] {
        bench.says(id, Type::Completed, txid);
    }
    bench.begin("d");
    bench.begin("e");
    assert!(bench.txids(one).is_empty());
    assert_eq!(bench.txids(other), ["d", "e"], "the one that was called last");
}

#[tokio::test(start_paused = true)]
async fn who_has_nothing_to_do_goes_after_a_while_and_no_sooner() {
    let mut bench = bench(terms());
    let one = bench.greeted();
    bench.begin("a");
    bench.txids(one);
    advance(IDLE * 2).await;
    bench.switch.expire(Instant::now());
    assert!(!bench.is_cut(one), "it is at work");
    bench.says(one, Type::Completed, "a");
    bench.events();
    advance(IDLE / 2).await;
    bench.begin("b");
    bench.says(one, Type::Completed, "b");
    advance(IDLE.mul_f32(0.75)).await;
    bench.switch.expire(Instant::now());
    assert_eq!(bench.events(), []);
    assert_eq!(bench.switch.next_expiry(), Some(Instant::now() + IDLE / 4));
    advance(IDLE / 4).await;
    bench.switch.expire(Instant::now());
    assert_eq!(bench.events(), [released(one), wanted(0)]);
    assert_eq!(bench.switch.next_expiry(), None);
}

#[tokio::test(start_paused = true)]
async fn as_many_as_are_kept_ahead_stay() {
    let most = NonZeroUsize::new(3).unwrap();
    let mut bench = bench(OnDemand { ahead: 1, most, ..terms() });
    let (one, other) = (bench.greeted(), bench.greeted());
    bench.events();
    advance(IDLE).await;
    bench.switch.expire(Instant::now());
    let stays = if bench.is_cut(one) { other } else { one };
    assert_eq!(bench.events().last(), Some(&wanted(1)));
    assert!(!bench.is_cut(stays));
    assert_eq!(bench.switch.next_expiry(), None);
    bench.begin("a");
    assert_eq!(bench.events(), [wanted(2)], "another one is to be ready for the next call");
}

#[test]
fn one_that_cannot_start_is_told_to_what_waits_and_the_next_call_tries_again() {
    let mut bench = bench(terms());
    bench.begin("a");
    bench.events();
    bench.switch.set_trouble(usual(), "exit status: 3".into());
    let (kind, txid, text) = bench.said_to_peer().remove(0);
    assert_eq!((kind, txid.as_str()), (Type::Error, "a"));
    assert_eq!(text, "no replica of the chaincode is running: exit status: 3");
    assert_eq!(bench.events(), [wanted(0)]);
    bench.begin("b");
    assert!(bench.said_to_peer().is_empty());
    assert_eq!(bench.events(), [wanted(1)]);
}

#[test]
fn what_waits_for_one_that_is_there_is_not_concerned_by_another_that_cannot_start() {
    let mut bench = bench(OnDemand { most: NonZeroUsize::new(2).unwrap(), ..terms() });
    let one = bench.greeted();
    for txid in ["a", "b", "c"] {
        bench.begin(txid);
    }
    bench.switch.set_trouble(usual(), "exit status: 3".into());
    assert!(bench.said_to_peer().is_empty());
    bench.txids(one);
    bench.says(one, Type::Completed, "a");
    assert_eq!(bench.txids(one), ["c"]);
}

#[test]
fn what_a_dead_one_had_calls_for_another_one() {
    let mut bench = bench(terms());
    let one = bench.greeted();
    bench.begin("a");
    bench.events();
    bench.switch.replica_gone(one, "it died");
    let events = bench.events();
    assert!(matches!(events[0], Event::ReplicaGone { fates: Fates { run_again: 1, .. }, .. }));
    assert_eq!(events[1..], [wanted(1)]);
    let other = bench.greeted_with_more();
    assert_eq!(bench.txids(other), ["a"]);
}

impl Bench {
    /// A replica that has read its greeting, and something more is there for it.
    fn greeted_with_more(&mut self) -> ReplicaId {
        let id = self.replica();
        for kind in [Type::Registered, Type::Ready] {
            let Some(ForReplica::Message(frame)) = self.switch.take_for_replica(id) else {
                panic!("{id} is not greeted")
            };
            assert_eq!(frame.kind(), Some(kind));
        }
        id
    }
}

#[tokio::test(start_paused = true)]
async fn why_none_came_is_told() {
    let mut bench = bench(terms());
    bench.begin("a");
    advance(Limits::default().replica_wait).await;
    bench.switch.expire(Instant::now());
    let (_, _, text) = bench.said_to_peer().remove(0);
    assert!(
        text.contains("was started and registered within 2 s") && text.contains(".ahead"),
        "{text}"
    );
    let one = bench.greeted();
    for txid in ["b", "c", "d"] {
        bench.begin(txid);
    }
    bench.txids(one);
    advance(Limits::default().replica_wait).await;
    bench.switch.expire(Instant::now());
    let (_, txid, text) = bench.said_to_peer().remove(0);
    assert_eq!(txid, "d");
    assert!(text.starts_with("all 1 processes of the chaincode were busy for 2 s"), "{text}");
}

#[test]
fn those_that_replace_them_may_be_there_to_stay() {
    let mut bench = bench(terms());
    let one = bench.greeted();
    bench.begin("a");
    bench.events();
    let others = Credential::of(b"the key of those that are to stay");
    let stays = bench.replica_showing(others, &Frame::register(PACKAGE));
    bench.switch.set_on_demand(None);
    bench.switch.retire(usual(), IDLE);
    for txid in ["b", "c", "d", "e"] {
        bench.begin(txid);
    }
    assert_eq!(bench.txids(stays).len(), 6);
    bench.says(one, Type::Completed, "a");
    assert!(bench.events().contains(&Event::Retired { credential: usual(), answered: 0 }));
}
