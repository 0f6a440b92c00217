//! Replicas that are to go, while the peer notices nothing.

use super::*;

/// What those have that may finish.
const LIMIT: Duration = Duration::from_secs(5);

/// What a peer gives a transaction here.
const EXECUTION: Duration = Duration::from_secs(30);

fn old() -> Credential {
    Credential::of(b"the certificate of those that are to go")
}

fn new() -> Credential {
    Credential::of(b"the certificate of those that replace them")
}

fn retired(credential: Credential, answered: usize) -> Event {
    Event::Retired { credential, answered }
}

/// One that had nothing left was let go.
fn let_go(replica: ReplicaId) -> Event {
    left(replica, "it was to go, and its stream was ended", 0)
}

fn left(replica: ReplicaId, reason: &str, answered: usize) -> Event {
    let fates = Fates { answered, run_again: 0 };
    Event::ReplicaLeft { replica, credential: old(), reason: reason.into(), fates }
}

impl Bench {
    /// A replica that has read its greeting.
    fn greeted_as(&mut self, credential: Credential) -> ReplicaId {
        let id = self.replica_showing(credential, &Frame::register(PACKAGE));
        assert_eq!(self.kinds(id), [Type::Registered, Type::Ready]);
        id
    }

    fn expires(&mut self) {
        assert!(self.switch.next_expiry().unwrap() <= Instant::now());
        self.switch.expire(Instant::now());
    }
}

/// An old replica with transaction "a", and a new one with "b".
fn both() -> (Bench, ReplicaId, ReplicaId) {
    let mut bench = Bench::ready(Limits { execution: EXECUTION, ..once() });
    let (one, other) = (bench.greeted_as(old()), bench.greeted_as(new()));
    bench.begin("a");
    bench.begin("b");
    assert_eq!((bench.txids(one).len(), bench.txids(other).len()), (1, 1));
    bench.events();
    (bench, one, other)
}

#[test]
fn who_is_to_go_gets_nothing_new_and_finishes_what_it_has() {
    let (mut bench, going, staying) = both();
    bench.switch.retire(old(), LIMIT);
    for txid in ["c", "d", "e"] {
        bench.begin(txid);
    }
    assert_eq!(bench.txids(staying), ["c", "d", "e"], "though it has more in flight");
    bench.says(going, Type::GetState, "a");
    bench.answers("a");
    assert_eq!(bench.kinds(going), [Type::Response]);
    assert!(bench.events().is_empty());
    bench.says(going, Type::Completed, "a");
    assert_eq!(bench.events(), [retired(old(), 0), let_go(going)]);
    assert!(bench.is_let_go(going));
    let kinds: Vec<_> = bench.said_to_peer().into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, [Type::GetState, Type::Completed]);
}

#[test]
fn the_last_one_of_several_says_that_all_may_go() {
    let mut bench = Bench::ready(Limits::default());
    let (one, other) = (bench.greeted_as(old()), bench.greeted_as(old()));
    bench.begin("a");
    bench.begin("b");
    bench.events();
    bench.switch.retire(old(), LIMIT);
    bench.says(one, Type::Completed, "a");
    assert!(bench.events().is_empty());
    bench.says(other, Type::Error, "b");
    assert_eq!(bench.events(), [retired(old(), 0), let_go(one), let_go(other)]);
}

#[test]
fn who_shares_no_certificate_with_others_goes_alone() {
    let mut bench = Bench::ready(Limits::default());
    let names = [&b"one"[..], b"two", b"three"].map(Credential::of);
    let replicas = names.map(|name| bench.greeted_as(name));
    for (name, txid) in names.iter().zip(["a", "b", "c"]).take(2) {
        bench.begin(txid);
        bench.switch.retire(*name, LIMIT);
    }
    bench.begin("c");
    let given = replicas.map(|replica| bench.txids(replica));
    assert_eq!(given, [["a"], ["b"], ["c"]]);
    bench.events();
    bench.says(replicas[1], Type::Completed, "b");
    assert_eq!(bench.events()[0], retired(names[1], 0));
    assert!(bench.is_let_go(replicas[1]) && !bench.is_cut(replicas[0]));
}

#[test]
fn nothing_in_flight_is_told_at_once_and_again() {
    let mut bench = Bench::ready(Limits::default());
    bench.switch.retire(Credential::of(b"nobody's"), LIMIT);
    assert_eq!(bench.events(), [retired(Credential::of(b"nobody's"), 0)]);
    let idle = bench.greeted_as(old());
    bench.events();
    bench.switch.retire(old(), LIMIT);
    assert_eq!(bench.events(), [retired(old(), 0), let_go(idle)]);
    assert!(bench.is_let_go(idle));
    bench.switch.retire(old(), LIMIT);
    assert_eq!(bench.events(), [retired(old(), 0)]);
    assert_eq!(bench.switch.next_expiry(), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_at_the_limit_is_ended_with_the_reason() {
    let (mut bench, going, staying) = both();
    bench.switch.retire(old(), LIMIT);
    assert_eq!(bench.switch.next_expiry(), Some(Instant::now() + LIMIT));
    advance(LIMIT).await;
    bench.expires();
    let [(kind, txid, text)] = &bench.said_to_peer()[..] else { panic!() };
    assert_eq!((*kind, txid.as_str()), (Type::Error, "a"));
    let expected = "the chaincode's replica is being replaced, and did not end this transaction \
                    within another 5 s";
    assert_eq!(text, expected);
    assert_eq!(bench.events(), [retired(old(), 1), let_go(going)]);
    // It has nothing to say of it any more.
    bench.says(going, Type::Completed, "a");
    assert!(bench.said_to_peer().is_empty() && bench.is_let_go(going));
    bench.says(staying, Type::Completed, "b");
    assert_eq!(bench.said_to_peer()[0].0, Type::Completed);
}

#[tokio::test(start_paused = true)]
async fn the_error_at_the_limit_waits_for_the_answer_to_a_request() {
    let (mut bench, going, _) = both();
    bench.says(going, Type::GetState, "a");
    bench.said_to_peer();
    bench.switch.retire(old(), LIMIT);
    advance(LIMIT).await;
    bench.expires();
    assert!(bench.said_to_peer().is_empty(), "the peer would close iterators under the request");
    // Nobody has to be there for it.
    assert_eq!(bench.events(), [retired(old(), 1), let_go(going)]);
    bench.switch.replica_gone(going, "it closed its stream");
    bench.answers("a");
    assert_eq!(bench.failed(), ["a"]);
    assert!(bench.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_error_at_the_limit_waits_until_no_iterator_is_open() {
    let (mut bench, going, _) = both();
    bench.says(going, Type::GetStateByRange, "a");
    bench.switch.peer_says(outstanding::query_answer("open", true));
    bench.said_to_peer();
    bench.switch.retire(old(), LIMIT);
    advance(LIMIT).await;
    bench.expires();
    assert_eq!(bench.said_to_peer()[0].0, Type::QueryStateClose);
    bench.switch.peer_says(outstanding::query_answer("open", false));
    assert_eq!(bench.failed(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_peer_has_given_up_keeps_nobody() {
    let (mut bench, going, staying) = both();
    bench.switch.retire(old(), EXECUTION * 2);
    advance(EXECUTION).await;
    bench.expires();
    assert_eq!(bench.events(), [retired(old(), 0), let_go(going)]);
    // One that the peer begins anew is for others.
    bench.begin("a");
    assert_eq!(bench.txids(staying), ["a"]);
    bench.says(going, Type::Completed, "a");
    assert!(bench.said_to_peer().is_empty());
    assert_eq!(bench.switch.in_flight(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_of_several_has_a_limit_and_an_end_of_its_own() {
    let (mut bench, ..) = both();
    bench.begin("c");
    bench.switch.retire(old(), LIMIT);
    bench.switch.retire(new(), LIMIT);
    advance(LIMIT).await;
    bench.expires();
    assert_eq!(bench.failed(), ["a", "b", "c"]);
    let mut events = bench.events();
    events.retain(|event| matches!(event, Event::Retired { .. }));
    events.sort_by_key(|event| *event != retired(old(), 2));
    assert_eq!(events, [retired(old(), 2), retired(new(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn called_again_it_is_the_new_limit_that_counts() {
    let (mut bench, going, _) = both();
    bench.switch.retire(old(), Duration::MAX);
    bench.switch.retire(old(), LIMIT);
    advance(LIMIT).await;
    bench.expires();
    assert_eq!(bench.failed(), ["a"]);
    assert_eq!(bench.events(), [retired(old(), 1), let_go(going)]);
}

#[test]
fn the_end_of_one_that_is_to_go_is_no_loss() {
    let (mut bench, going, _) = both();
    bench.switch.retire(old(), LIMIT);
    // Who is killed may be in the middle of a word.
    let cut = bench.greeted_as(old());
    bench.switch.replica_breaks(cut, &Violation::NotWriting);
    let place = Place { origin: HERE.into(), credential: old() };
    bench.switch.replica_never_registered(99, place, "it closed its stream".into());
    let [
        Event::ReplicaLeft { replica: one, reason: why, .. },
        Event::ReplicaLeft { replica: other, .. },
    ] = &bench.events()[..]
    else {
        panic!("told of as lost")
    };
    assert_eq!((*one, *other), (cut, 99));
    assert_eq!(why, "it sent a part of a message and then nothing more");
    bench.switch.replica_gone(going, "broken pipe");
    assert_eq!(bench.failed(), ["a"]);
    assert_eq!(bench.events(), [left(going, "broken pipe", 1), retired(old(), 0)]);
}

#[test]
fn the_loss_of_one_that_stays_is_one() {
    let (mut bench, _, staying) = both();
    bench.switch.retire(old(), LIMIT);
    bench.switch.replica_gone(staying, "broken pipe");
    assert_eq!(bench.failed(), ["b"]);
    let (credential, reason) = (new(), "broken pipe".to_owned());
    let fates = Fates { answered: 1, run_again: 0 };
    let gone = Event::ReplicaGone { replica: staying, credential, reason, fates };
    assert_eq!(bench.events(), [gone]);
}

#[tokio::test(start_paused = true)]
async fn new_transactions_wait_where_all_that_are_there_are_to_go() {
    let (mut bench, going, staying) = both();
    bench.switch.replica_gone(staying, "broken pipe");
    bench.said_to_peer();
    bench.switch.retire(old(), LIMIT);
    bench.begin("c");
    assert!(bench.said_to_peer().is_empty());
    // One more of them helps nobody.
    let late = bench.greeted_as(old());
    bench.says(going, Type::Completed, "a");
    bench.said_to_peer();
    assert!(bench.is_let_go(going) && bench.is_let_go(late));
    let next = bench.replica_showing(new(), &Frame::register(PACKAGE));
    assert_eq!(bench.txids(next), ["", "", "c"]);

    bench.switch.replica_gone(next, "broken pipe");
    bench.said_to_peer();
    bench.begin("d");
    advance(Limits::default().replica_wait).await;
    bench.expires();
    let [(_, _, text)] = &bench.said_to_peer()[..] else { panic!() };
    assert_eq!(text, "no replica of the chaincode became ready within 2 s");
}

#[test]
fn who_comes_after_its_retirement_is_let_go_at_once() {
    let mut bench = Bench::ready(Limits::default());
    bench.switch.retire(old(), LIMIT);
    let late = bench.replica_showing(old(), &Frame::register(PACKAGE));
    assert!(bench.is_let_go(late));
    assert_eq!(bench.events(), [retired(old(), 0), let_go(late)]);
}

#[test]
fn who_is_to_go_before_the_peer_is_ready_brings_about_no_registration() {
    let mut bench = Bench::new(Limits::default());
    let going = bench.replica_showing(old(), &Frame::register(PACKAGE));
    bench.switch.retire(old(), LIMIT);
    assert_eq!(bench.events(), [retired(old(), 0), let_go(going)]);
    assert!(!bench.switch.start_registration(), "the launch would be over, and nobody there");
    let staying = bench.replica_showing(new(), &Frame::register(PACKAGE));
    assert!(bench.switch.start_registration());
    bench.switch.peer_is_ready(ready());
    let ready = came(staying, new());
    assert_eq!(bench.events(), [ready, Event::Ready]);
    assert!(bench.is_let_go(going));
    bench.frames(staying);
    bench.begin("a");
    assert_eq!(bench.txids(staying), ["a"]);
}

#[test]
fn trouble_is_that_of_one_credential() {
    let mut bench = Bench::ready(Limits::default());
    bench.switch.set_trouble(new(), "ImagePullBackOff".into());
    bench.switch.retire(old(), LIMIT);
    bench.begin("a");
    assert_eq!(bench.failed(), ["a"], "it is not theirs who go");
    // Nor is it over when one of those comes.
    bench.replica_showing(old(), &Frame::register(PACKAGE));
    bench.begin("b");
    assert_eq!(bench.failed(), ["b"]);
    bench.switch.retire(new(), LIMIT);
    bench.begin("c");
    bench.switch.set_trouble(old(), "it ended 3 times in a row".into());
    bench.begin("d");
    assert!(bench.said_to_peer().is_empty(), "others may come");
}

#[test]
fn both_find_room_and_neither_takes_that_of_the_other() {
    let mut bench = Bench::ready(Limits { replicas: 2, ..Limits::default() });
    bench.greeted_as(old());
    bench.greeted_as(old());
    let third = bench.replica_showing(old(), &Frame::register(PACKAGE));
    assert_eq!(bench.farewell(third), "it is one replica too many, the limit is 2");
    bench.greeted_as(new());
    bench.greeted_as(new());
    let fifth = bench.replica_showing(usual(), &Frame::register(PACKAGE));
    assert_eq!(bench.farewell(fifth), "it is one replica too many, the limit is 4");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_barred_for_what_those_did_whom_it_replaces() {
    let mut bench = Bench::ready(Limits::default());
    for _ in 0..9 {
        let bad = bench.greeted_as(old());
        bench.says(bad, Type::Ready, "a");
    }
    let barred = bench.greeted_as(old());
    bench.begin("a");
    assert_eq!(bench.failed(), ["a"]);
    // A bar ends with what it is for.
    bench.switch.retire(old(), LIMIT);
    bench.begin("b");
    assert!(bench.said_to_peer().is_empty(), "another may come");
    advance(Duration::from_secs(1)).await;
    assert!(bench.is_let_go(barred), "it helps nobody");
    let next = bench.replica_showing(new(), &Frame::register(PACKAGE));
    assert_eq!(bench.txids(next), ["", "", "b"]);
    advance(Duration::from_mins(2)).await;
    bench.switch.expire(Instant::now());
    bench.begin("c");
    assert_eq!(bench.txids(next), ["c"]);
}
