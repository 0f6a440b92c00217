//! What is started and ended, tried without processes.

use super::*;

const PATIENCE: Patience = Patience { start: Duration::from_mins(1), call: Duration::from_secs(2) };

/// Seats with a clock of their own.
struct Bench {
    seats: Seats,
    now: Instant,
}

/// What a test sees of what is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Start(usize),
    End(usize),
    Exited(String),
    Refused(String),
    Trouble(String),
}

use Seen::{End as ToEnd, Exited, Refused, Start};

impl Bench {
    fn new(number: usize) -> Self {
        Self { seats: Seats::new(number, false, PATIENCE), now: Instant::now() }
    }

    fn due(&mut self) -> Vec<Seen> {
        let deeds = self.seats.what_is_due(self.now).into_iter().flat_map(|deed| match deed {
            Deed::Failed(failure) => failure.events().map(Deed::Tell).collect(),
            other => vec![other],
        });
        let seen = |deed| match deed {
            Deed::Start(seat) => Start(seat),
            Deed::End(seat) => ToEnd(seat),
            Deed::Tell(ReplicaEvent::Exited(exit)) => Exited(exit.to_string()),
            Deed::Tell(ReplicaEvent::Refused(reason)) => Refused(reason),
            Deed::Tell(ReplicaEvent::Trouble(reason)) => Seen::Trouble(reason),
            other => panic!("{other:?}"),
        };
        deeds.map(seen).collect()
    }

    fn want(&mut self, processes: usize) -> Vec<Seen> {
        self.seats.want(processes);
        self.due()
    }

    fn met(&mut self, seat: usize, meeting: Meeting) {
        self.seats.met(seat, meeting, self.now);
    }

    fn ended(&mut self, seat: usize, status: u8) {
        let exit =
            ReplicaExit { status: format!("exit status: {status}"), last_lines: vec!["oh".into()] };
        self.seats.ended(seat, End { exit, is_well: status == 0 }, self.now);
    }

    fn passes(&mut self, time: Duration) -> Vec<Seen> {
        self.now += time;
        self.due()
    }

    /// One that has registered.
    fn registered(&mut self) -> usize {
        let [Start(seat)] = self.want(1)[..] else { panic!("none is started") };
        self.met(seat, Meeting::Joined);
        assert_eq!(self.want(1), []);
        seat
    }
}

fn ended_early(status: u8) -> [Seen; 2] {
    let exit = format!("exit status: {status}; it wrote: oh");
    [Exited(exit.clone()), Refused(format!("it ended before it registered: {exit}"))]
}

#[test]
fn as_many_are_started_as_are_wanted_and_no_seat_is_taken_twice() {
    let mut bench = Bench::new(4);
    assert_eq!(bench.want(2), [Start(0), Start(1)]);
    assert_eq!(bench.want(2), []);
    assert_eq!(bench.want(3), [Start(2)]);
    assert_eq!(bench.want(0), [], "who is there is let go by the proxy");
    assert_eq!(bench.want(9), [Start(3)]);
}

#[test]
fn one_that_is_let_go_makes_room_at_once_and_is_ended_if_it_does_not_end() {
    let mut bench = Bench::new(2);
    let seat = bench.registered();
    bench.met(seat, Meeting::Released);
    assert_eq!(bench.want(1), [Start(1)]);
    assert_eq!(bench.passes(LINGER / 2), []);
    assert_eq!(bench.passes(LINGER / 2), [ToEnd(seat)]);
    assert_eq!(bench.passes(LINGER), [], "it was told already");
    bench.ended(seat, 1);
    assert_eq!(bench.due(), [], "how it ends is its own matter");
}

#[test]
fn one_that_has_ended_before_the_proxy_says_what_it_knows_of_it() {
    let mut bench = Bench::new(2);
    let seat = bench.registered();
    bench.ended(seat, 1);
    assert_eq!(bench.due(), [], "it may have been let go");
    bench.met(seat, Meeting::Released);
    assert_eq!(bench.due(), []);
    assert_eq!(bench.want(1), [Start(1)]);
    bench.met(1, Meeting::Joined);
    bench.ended(1, 2);
    assert_eq!(bench.due(), []);
    bench.met(1, Meeting::Lost);
    assert_eq!(bench.want(1), [Exited("exit status: 2; it wrote: oh".into()), Start(seat)]);
}

#[test]
fn one_that_was_lost_and_lives_on_is_ended_and_one_that_hangs_at_once() {
    let mut bench = Bench::new(2);
    let seat = bench.registered();
    bench.met(seat, Meeting::Lost);
    assert_eq!(bench.want(0), []);
    assert_eq!(bench.passes(LINGER), [ToEnd(seat)]);
    bench.ended(seat, 0);
    let other = bench.registered();
    bench.met(other, Meeting::Hung);
    assert_eq!(bench.want(0), [ToEnd(other)]);
}

#[test]
fn none_is_started_for_what_was_wanted_before_one_has_gone() {
    let mut bench = Bench::new(4);
    bench.registered();
    assert_eq!(bench.want(2), [Start(1)], "one at work, one ahead");
    bench.met(0, Meeting::Released);
    assert_eq!(bench.due(), []);
    assert_eq!(bench.want(1), []);
}

#[test]
fn one_that_listens_is_ended_when_it_is_let_go() {
    let mut bench = Bench::new(2);
    bench.seats.listens = true;
    let seat = bench.registered();
    bench.met(seat, Meeting::Released);
    assert_eq!(bench.due(), [ToEnd(seat)]);
}

#[test]
fn one_with_two_streams_is_there_until_both_have_ended() {
    let mut bench = Bench::new(2);
    let seat = bench.registered();
    bench.met(seat, Meeting::Joined);
    bench.met(seat, Meeting::Released);
    assert_eq!(bench.passes(LINGER), []);
    bench.met(seat, Meeting::Released);
    assert_eq!(bench.passes(LINGER), [ToEnd(seat)]);
}

#[test]
fn one_that_ends_before_it_registers_is_told_and_the_next_one_has_to_be_called_for() {
    let mut bench = Bench::new(2);
    assert_eq!(bench.want(1), [Start(0)]);
    bench.ended(0, 0);
    assert_eq!(bench.due(), [], "the proxy may know more");
    assert_eq!(bench.want(1), []);
    assert_eq!(bench.passes(HEARSAY), ended_early(0));
    assert_eq!(bench.passes(Duration::from_secs(99)), []);
    assert_eq!(bench.want(0), []);
    assert_eq!(bench.want(1), [Start(1)]);
}

#[test]
fn one_that_has_ended_before_it_is_heard_that_it_had_registered_is_no_failure() {
    let mut bench = Bench::new(2);
    assert_eq!(bench.want(1), [Start(0)]);
    bench.ended(0, 1);
    assert_eq!(bench.passes(HEARSAY / 2), []);
    bench.met(0, Meeting::Joined);
    bench.met(0, Meeting::Released);
    assert_eq!(bench.passes(HEARSAY), []);
    assert_eq!(bench.want(1), [Start(1)]);
    assert_eq!(bench.seats.failures.count, 0);
}

#[test]
fn after_several_failures_calls_are_told_when_there_is_another_start() {
    let mut bench = Bench::new(2);
    for _ in 0..5 {
        let [.., Start(seat)] = bench.want(1)[..] else { panic!("none is started") };
        bench.ended(seat, 3);
        assert_eq!(bench.passes(HEARSAY), ended_early(3));
        if bench.seats.failures.count < 5 {
            bench.passes(Duration::from_secs(9));
        }
    }
    // The delay is 4 s by now: a call would not wait so long.
    let told = bench.want(1);
    let [Refused(reason)] = &told[..] else { panic!("{told:?}") };
    assert!(
        reason.starts_with("it ended 5 times in a row, and is started again in 4.0 s"),
        "{reason}"
    );
    assert_eq!(bench.want(1), [], "not again and again at the same time");
    assert!(matches!(bench.passes(due::AGAIN)[..], [Refused(_)]), "the next call is told, too");
    assert_eq!(bench.want(0), []);
    bench.passes(Duration::from_secs(2));
    assert_eq!(bench.want(1), [], "the rest of it may be waited for");
    assert_eq!(bench.seats.next_moment(bench.now), Some(bench.seats.failures.until));
    assert!(matches!(bench.passes(Duration::from_secs(2))[..], [Start(_)]));
}

#[test]
fn calls_that_another_one_can_have_are_not_told() {
    let mut bench = Bench::new(4);
    bench.registered();
    bench.seats.failed("exit status: 3".into(), bench.now, bench.now);
    bench.seats.failures.until = bench.now + Duration::from_secs(30);
    assert_eq!(bench.want(2), []);
    assert_eq!(bench.passes(Duration::from_secs(30)), [Start(1)]);
}

#[test]
fn who_has_done_what_it_was_called_for_ends_the_row_of_failures() {
    let mut bench = Bench::new(2);
    let seat = bench.registered();
    bench.ended(seat, 2);
    bench.met(seat, Meeting::Lost);
    assert_eq!(bench.seats.failures.count, 1);
    bench.want(0);
    let seat = bench.registered();
    bench.met(seat, Meeting::Released);
    assert_eq!(bench.seats.failures.count, 0);
}

#[test]
fn one_that_never_registers_is_ended_and_that_is_told() {
    let mut bench = Bench::new(2);
    assert_eq!(bench.want(1), [Start(0)]);
    bench.want(0);
    assert_eq!(bench.passes(PATIENCE.start), [ToEnd(0)]);
    bench.ended(0, 0);
    let reason =
        "it did not register within 60 s (chaincode.timeouts.start), and was ended; it wrote: oh";
    let told = format!("it ended before it registered: {reason}");
    assert_eq!(bench.due(), [Exited(reason.into()), Refused(told)]);
}

#[test]
fn one_that_cannot_be_started_at_all_is_told() {
    let mut bench = Bench::new(2);
    assert_eq!(bench.want(1), [Start(0)]);
    bench.seats.not_started(0, "cannot start node".into(), bench.now);
    assert_eq!(bench.due(), [Seen::Trouble("cannot start node".into())]);
    assert_eq!(bench.want(1), [Start(1)]);
}

#[test]
fn where_all_seats_are_taken_the_one_that_was_let_go_is_ended_sooner() {
    let mut bench = Bench::new(2);
    let first = bench.registered();
    bench.met(first, Meeting::Released);
    let second = bench.registered();
    bench.met(second, Meeting::Released);
    assert_eq!(bench.want(1), [ToEnd(first)]);
    assert_eq!(bench.want(1), [ToEnd(second)]);
    bench.ended(first, 0);
    assert_eq!(bench.due(), [Start(first)]);
}

impl Bench {
    /// Seats that orders do not reach yet.
    fn unreached(number: usize) -> Self {
        let mut bench = Self::new(0);
        (0..number).for_each(|seat| assert_eq!(bench.seats.add(), seat));
        bench
    }

    fn reach(&mut self, seat: usize, found: Found) -> Vec<Seen> {
        self.seats.reach(seat, found, self.now);
        self.due()
    }
}

#[test]
fn a_seat_that_no_order_reaches_is_passed_over() {
    let mut bench = Bench::unreached(2);
    assert_eq!(bench.want(1), []);
    assert_eq!(bench.reach(1, Found::Nothing), [Start(1)]);
    // Whether it was told to start nobody knows.
    bench.seats.lose(1);
    assert_eq!(bench.want(1), []);
    assert_eq!(bench.reach(0, Found::Nothing), [Start(0)]);
    assert_eq!(bench.reach(1, Found::Nothing), []);
    bench.seats.lose(0);
    assert_eq!(bench.want(1), [Start(1)], "it had not been told");
}

#[test]
fn one_that_has_registered_is_there_whether_its_seat_is_reached_or_not() {
    let mut bench = Bench::unreached(1);
    bench.reach(0, Found::Nothing);
    assert_eq!(bench.registered(), 0);
    bench.seats.lose(0);
    assert_eq!(bench.want(1), []);
    assert_eq!(bench.reach(0, Found::Forgotten), []);
    bench.seats.lose(0);
    assert_eq!(bench.reach(0, Found::Nothing), [], "it may have been let go");
    bench.met(0, Meeting::Lost);
    assert_eq!(bench.want(1), [Start(0)], "nobody has seen how it ended");

    let mut bench = Bench::unreached(1);
    bench.met(0, Meeting::Joined);
    assert_eq!(bench.want(1), []);
    assert!(bench.seats.vacate(0));
    bench.seats.are_elsewhere(1);
    assert_eq!(bench.want(1), []);
    assert_eq!(bench.seats.add(), 1);
    assert_eq!(bench.reach(1, Found::Nothing), []);
    bench.seats.are_elsewhere(0);
    bench.seats.met_elsewhere();
    assert_eq!(bench.due(), [], "how many are wanted now is said next");
    assert_eq!(bench.want(1), [Start(1)]);
}

#[test]
fn one_that_is_there_from_before_makes_place_unless_it_registers() {
    let mut bench = Bench::unreached(1);
    assert_eq!(bench.reach(0, Found::Forgotten), []);
    assert_eq!(bench.want(1), [ToEnd(0)]);
    bench.ended(0, 1);
    assert_eq!(bench.due(), [Start(0)], "its end is nothing to tell of");

    let mut bench = Bench::unreached(1);
    bench.reach(0, Found::Forgotten);
    bench.met(0, Meeting::Joined);
    assert_eq!(bench.want(1), []);
    assert_eq!(bench.passes(LINGER), []);
}

#[test]
fn an_order_to_end_that_was_lost_is_given_again() {
    let mut bench = Bench::unreached(1);
    bench.reach(0, Found::Beginner);
    bench.met(0, Meeting::Joined);
    bench.met(0, Meeting::Hung);
    assert_eq!(bench.want(0), [ToEnd(0)]);
    bench.seats.lose(0);
    assert_eq!(bench.reach(0, Found::Forgotten), [ToEnd(0)]);
}

#[test]
fn calls_are_told_why_no_seat_gets_free_and_only_then() {
    let mut bench = Bench::unreached(1);
    let why = || Refused("no node takes its pod".into());
    assert_eq!(bench.want(1), []);
    bench.seats.hinder(Some("no node takes its pod".into()));
    assert_eq!(bench.due(), [why()]);
    assert_eq!(bench.want(1), [], "not again and again at the same time");
    assert_eq!(bench.seats.next_moment(bench.now), Some(bench.now + due::AGAIN));
    assert_eq!(bench.passes(due::AGAIN), [why()]);
    assert_eq!(bench.want(0), []);
    bench.passes(due::AGAIN);
    bench.seats.hinder(None);
    assert_eq!(bench.want(1), []);
    bench.seats.hinder(Some("no node takes its pod".into()));
    assert_eq!(bench.reach(0, Found::Nothing), [Start(0)]);
}
