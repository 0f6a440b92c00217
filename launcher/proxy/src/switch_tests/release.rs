//! Replicas whose pod is to go: they go as soon as nobody has to wait for that.

use super::*;

const LIMIT: Duration = Duration::from_secs(5);

/// Where the pod is that is to go.
fn there() -> Place {
    Place { origin: IpAddr::from([10, 0, 0, 1]).into(), credential: usual() }
}

/// Where another one of the same set is.
fn elsewhere() -> Place {
    Place { origin: IpAddr::from([10, 0, 0, 2]).into(), credential: usual() }
}

fn let_go(replica: ReplicaId) -> Event {
    left(replica, "it was to go, and its stream was ended", 0)
}

fn left(replica: ReplicaId, reason: &str, answered: usize) -> Event {
    let fates = Fates { answered, run_again: 0 };
    Event::ReplicaLeft { replica, credential: usual(), reason: reason.into(), fates }
}

impl Bench {
    /// A replica that has read its greeting.
    fn greeted_at(&mut self, place: Place) -> ReplicaId {
        let id = self.replica_at(place, &Frame::register(PACKAGE));
        assert_eq!(self.kinds(id), [Type::Registered, Type::Ready]);
        id
    }
}

/// A replica with transaction "a" in the pod that is to go, and one with "b" elsewhere.
fn both() -> (Bench, ReplicaId, ReplicaId) {
    let mut bench = Bench::ready(once());
    let (one, other) = (bench.greeted_at(there()), bench.greeted_at(elsewhere()));
    bench.begin("a");
    bench.begin("b");
    assert_eq!((bench.txids(one).len(), bench.txids(other).len()), (1, 1));
    bench.events();
    (bench, one, other)
}

#[test]
fn who_is_to_go_finishes_what_it_has_while_others_get_what_is_new() {
    let (mut bench, going, staying) = both();
    bench.switch.release(there(), LIMIT);
    assert!(bench.events().is_empty());
    for txid in ["c", "d"] {
        bench.begin(txid);
    }
    assert_eq!(bench.txids(staying), ["c", "d"], "though it has more in flight");
    bench.says(going, Type::GetState, "a");
    bench.answers("a");
    assert_eq!(bench.kinds(going), [Type::Response]);
    bench.says(going, Type::Completed, "a");
    assert_eq!(bench.events(), [let_go(going)]);
    assert!(bench.is_let_go(going) && !bench.is_cut(staying));
    let kinds: Vec<_> = bench.said_to_peer().into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, [Type::GetState, Type::Completed]);
    // Its connection's end comes later, and is nothing new.
    bench.switch.replica_gone(going, "its connection was closed");
    assert!(bench.events().is_empty());
}

#[test]
fn one_that_is_alone_goes_on_until_another_has_come() {
    let mut bench = Bench::ready(once());
    let going = bench.greeted_at(there());
    bench.events();
    bench.switch.release(there(), LIMIT);
    for txid in ["a", "b"] {
        bench.begin(txid);
        assert_eq!(bench.txids(going), [txid], "nobody else can have it");
    }
    bench.says(going, Type::Completed, "a");
    bench.says(going, Type::Completed, "b");
    assert!(bench.events().is_empty());
    bench.begin("c");
    bench.txids(going);
    let next = bench.greeted_at(elsewhere());
    let ready = came(next, usual());
    assert_eq!(bench.events(), [ready]);
    bench.begin("d");
    assert_eq!(bench.txids(next), ["d"]);
    bench.says(going, Type::Completed, "c");
    assert_eq!(bench.events(), [let_go(going)]);
}

#[test]
fn an_idle_one_goes_at_once_and_when_another_comes_or_answers_again() {
    let mut bench = Bench::ready(once());
    let (one, other) = (bench.greeted_at(there()), bench.greeted_at(elsewhere()));
    bench.events();
    bench.switch.release(there(), LIMIT);
    assert_eq!(bench.events(), [let_go(one)]);
    bench.switch.release(elsewhere(), LIMIT);
    assert!(bench.events().is_empty(), "nobody else is there");
    let third = Place { origin: HERE.into(), ..there() };
    bench.greeted_at(third);
    assert!(bench.events().contains(&let_go(other)));

    let mut bench = Bench::ready(once());
    let (one, other) = (bench.greeted_at(there()), bench.greeted_at(elsewhere()));
    bench.switch.replica_silent(other);
    bench.events();
    bench.switch.release(there(), LIMIT);
    assert!(bench.events().is_empty(), "the other one may hang");
    bench.switch.replica_heard(other);
    assert_eq!(bench.events(), [let_go(one)]);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_barred_helps_nobody_until_its_bar_is_lifted() {
    let mut bench = Bench::ready(once());
    for _ in 0..3 {
        let bad = bench.greeted_at(elsewhere());
        bench.says(bad, Type::Ready, "a");
    }
    let barred = bench.greeted_at(elsewhere());
    let going = bench.greeted_at(there());
    bench.switch.release(there(), LIMIT);
    bench.events();
    bench.begin("a");
    assert_eq!(bench.txids(going), ["a"]);
    bench.says(going, Type::Completed, "a");
    assert!(bench.events().is_empty());
    advance(Duration::from_secs(3)).await;
    bench.switch.expire(Instant::now());
    assert_eq!(bench.events(), [let_go(going)]);
    bench.begin("b");
    assert_eq!(bench.txids(barred), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_at_the_limit_is_ended_with_the_reason_and_they_go() {
    let (mut bench, going, staying) = both();
    let idle = bench.greeted_at(there());
    bench.switch.release(there(), LIMIT);
    bench.events();
    assert!(bench.is_let_go(idle));
    assert_eq!(bench.switch.next_expiry(), Some(Instant::now() + LIMIT));
    advance(LIMIT).await;
    bench.switch.expire(Instant::now());
    let [(kind, txid, text)] = &bench.said_to_peer()[..] else { panic!() };
    assert_eq!((*kind, txid.as_str()), (Type::Error, "a"));
    let expected = "the chaincode's replica has to go, and did not end this transaction within \
                    another 5 s";
    assert_eq!(text, expected);
    assert_eq!(bench.events(), [let_go(going)]);
    bench.says(staying, Type::Completed, "b");
    assert_eq!(bench.said_to_peer()[0].0, Type::Completed);

    // One that is alone goes then, too.
    bench.switch.release(elsewhere(), LIMIT);
    assert!(bench.events().is_empty());
    advance(LIMIT).await;
    bench.switch.expire(Instant::now());
    assert_eq!(bench.events(), [let_go(staying)]);
}

#[test]
fn the_end_of_one_that_is_to_go_is_no_loss_however_it_comes() {
    let (mut bench, going, staying) = both();
    bench.switch.release(there(), LIMIT);
    bench.switch.replica_never_registered(99, there(), "it closed its stream".into());
    bench.switch.replica_breaks(going, &Violation::NotWriting);
    assert_eq!(bench.failed(), ["a"]);
    let events = bench.events();
    assert_eq!(events[0], left(99, "it did not register: it closed its stream", 0));
    assert_eq!(events[1], left(going, "it sent a part of a message and then nothing more", 1));
    assert_eq!(events.len(), 2);
    bench.switch.replica_gone(staying, "broken pipe");
    assert!(matches!(bench.events()[..], [Event::ReplicaGone { .. }]));
}

#[test]
fn what_it_had_is_run_again_where_that_may_be() {
    let mut bench = Bench::ready(Limits::default());
    let (going, staying) = (bench.greeted_at(there()), bench.greeted_at(elsewhere()));
    bench.begin("a");
    bench.txids(going);
    bench.events();
    bench.switch.release(there(), LIMIT);
    bench.switch.replica_gone(going, "broken pipe");
    assert_eq!(bench.txids(staying), ["a"]);
    assert!(bench.said_to_peer().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_comes_late_is_let_go_until_the_place_is_anothers() {
    let (mut bench, ..) = both();
    bench.switch.release(there(), LIMIT);
    bench.events();
    let late = bench.replica_at(there(), &Frame::register(PACKAGE));
    assert_eq!(bench.events(), [let_go(late)]);
    advance(LIMIT).await;
    bench.switch.expire(Instant::now());
    bench.events();
    let later = bench.replica_at(there(), &Frame::register(PACKAGE));
    assert_eq!(bench.events(), [let_go(later)]);
    bench.switch.vacate(there());
    let another = bench.greeted_at(there());
    let ready = came(another, usual());
    assert_eq!(bench.events(), [ready]);
    assert!(!bench.is_cut(another));
}

#[test]
fn others_at_the_same_place_stay() {
    let mut bench = Bench::ready(once());
    let others = Place { credential: Credential::of(b"of another set"), ..there() };
    let (one, other) = (bench.greeted_at(there()), bench.greeted_at(others));
    bench.events();
    bench.switch.release(there(), LIMIT);
    assert_eq!(bench.events(), [let_go(one)]);
    assert!(!bench.is_cut(other));
}

#[test]
fn of_those_in_one_place_the_one_in_its_seat_is_to_go() {
    let at_seat = |seat| {
        let address = there().origin.address;
        Place { origin: Origin { address, seat: Some(seat) }, ..there() }
    };
    let mut bench = Bench::ready(once());
    let [first, second] = [0, 1].map(|seat| bench.greeted_at(at_seat(seat)));
    assert_eq!(bench.switch.load(), 0);
    for txid in ["a", "b"] {
        bench.begin(txid);
    }
    assert_eq!((bench.txids(first).len(), bench.txids(second).len()), (1, 1));
    assert_eq!(bench.switch.load(), 2);
    bench.events();
    bench.switch.release(at_seat(1), LIMIT);
    bench.begin("c");
    assert_eq!(bench.txids(first), ["c"]);
    bench.says(second, Type::Completed, "b");
    assert_eq!(bench.events(), [let_go(second)]);
    assert_eq!(bench.switch.load(), 2);
}
