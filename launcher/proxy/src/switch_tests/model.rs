//! The switch in every situation that two transactions and two replicas can bring about.
//!
//! A peer that keeps to what Fabric's does and replicas that need not are given a switch, and
//! whatever can happen next is tried in each state: each word, each answer, each death, each
//! arrival. What must hold: a transaction has one end, the right one, and no ERROR where it can be
//! run again; nobody is told what is not his; while a request is outstanding neither another one
//! nor an end goes to the peer, nor an end while an iterator is open; the peer's simulation hears
//! each request of a run once, whoever had to ask it anew; who asks is answered; and nothing is
//! kept, nor counted, of what is over. Where replicas are there on demand, one gets no more than it
//! may, is let go with nothing in flight, and as many are called for as what waits needs.
//!
//! Each scenario is exhausted: there is no bound on the depth. Together they have about 63,000
//! states.

#[path = "model/action.rs"]
mod action;
#[path = "model/chaincode.rs"]
mod chaincode;
#[path = "model/peer.rs"]
mod peer;
#[path = "model/scenario.rs"]
mod scenario;
#[path = "model/search.rs"]
mod search;
#[path = "model/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroUsize};
use std::rc::Rc;
use std::time::Duration;

use peer::Heard::{Asked, Closing, Completed, Failed, TooLate};
use scenario::{Left, Scenario};
use search::exhaust;
use world::Sight::{self, BegunAnew, Differed, LetGo, Peer, Released, Retired, RunAgain};
use world::{World, credential};

use crate::frame::Type;
use crate::limits::Limits;
use crate::on_demand::OnDemand;

/// One transaction reads a range to its end, the other one leaves one open.
const USUAL: [&[Type]; 2] =
    [&[Type::GetStateByRange, Type::QueryStateNext], &[Type::GetStateByRange]];

/// As little as there is to say: who comes and goes makes for states enough.
const SHORT: [&[Type]; 2] = [&[Type::GetStateByRange], &[]];

fn limits() -> Limits {
    let (replica_wait, execution) = (Duration::from_secs(2), Duration::from_secs(3));
    Limits { replica_wait, execution, ..Limits::default() }
}

fn usual(left: Left) -> Scenario {
    Scenario { limits: limits(), code: [USUAL, USUAL], losses: 2, on_demand: None, left }
}

/// What is seen wherever replicas die.
const DEATHS: [Sight; 5] = [Peer(Asked), Peer(Closing), Peer(Completed), Peer(Failed), RunAgain];

/// Tries everything, and makes sure that what the scenario is for was among it.
fn holds(scenario: Scenario, expected: &[Sight]) {
    let found = exhaust(World::new(Rc::new(scenario)));
    println!("{} states", found.states);
    let expected: BTreeSet<_> = expected.iter().copied().collect();
    assert_eq!(found.sights, expected, "in {} states", found.states);
}

#[tokio::test(start_paused = true)]
async fn replicas_may_die_and_come_at_any_time() {
    let left = Left { deaths: 3, arrivals: 2, ..Left::default() };
    holds(usual(left), &DEATHS);
    let left = Left { deaths: 1, failures: 2, ..Left::default() };
    holds(usual(left), &[Peer(Asked), Peer(Closing), Peer(Completed), RunAgain]);
}

#[tokio::test(start_paused = true)]
async fn replicas_may_be_silent_at_any_time() {
    let left = Left { silences: 2, deaths: 1, ..Left::default() };
    holds(usual(left), &[Peer(Asked), Peer(Closing), Peer(Completed), RunAgain]);
}

#[tokio::test(start_paused = true)]
async fn replicas_may_die_at_any_time_where_nothing_is_run_again() {
    let left = Left { deaths: 2, arrivals: 1, ..Left::default() };
    let limits = Limits { replay: false, ..limits() };
    holds(Scenario { limits, losses: 1, ..usual(left) }, &DEATHS[..4]);
}

#[tokio::test(start_paused = true)]
async fn journals_may_be_full_at_any_time() {
    let left = Left { deaths: 2, ..Left::default() };
    let limits = Limits { journals: 400, ..limits() };
    holds(Scenario { limits, losses: 1, ..usual(left) }, &DEATHS);
}

#[tokio::test(start_paused = true)]
async fn transactions_may_be_given_up_and_begun_anew_at_any_time() {
    let left = Left { deaths: 1, give_ups: 1, begins: 1, ..Left::default() };
    holds(usual(left), &[&DEATHS[..], &[Peer(TooLate), BegunAnew]].concat());
}

#[tokio::test(start_paused = true)]
async fn threads_that_were_left_behind_may_speak_at_any_time() {
    let left = Left { strays: 1, begins: 1, ..Left::default() };
    holds(usual(left), &[&DEATHS[..4], &[BegunAnew]].concat());
    let left = Left { strays: 2, ..Left::default() };
    holds(usual(left), &DEATHS[..4]);
    let left = Left { strays: 1, deaths: 1, ..Left::default() };
    holds(usual(left), &[&DEATHS[..], &[Differed]].concat());
}

#[tokio::test(start_paused = true)]
async fn replicas_may_break_the_protocol_at_any_time() {
    let left = Left { breaches: 2, arrivals: 1, ..Left::default() };
    holds(usual(left), &DEATHS);
    let left = Left { hangs: 1, deaths: 1, arrivals: 1, ..Left::default() };
    holds(usual(left), &DEATHS);
}

#[tokio::test(start_paused = true)]
async fn replicas_may_do_something_else_when_they_run_a_transaction_again() {
    let left = Left { deaths: 1, begins: 1, ..Left::default() };
    let other: [&[Type]; 2] = [&[Type::GetStateByRange], &[Type::PutState]];
    let scenario = Scenario { code: [USUAL, other], losses: 1, ..usual(left) };
    holds(scenario, &[&DEATHS[..], &[Differed, BegunAnew]].concat());
}

#[tokio::test(start_paused = true)]
async fn replicas_may_have_to_go_at_any_time() {
    let left = Left { retirements: 1, deaths: 1, ..Left::default() };
    holds(usual(left), &[&DEATHS[..], &[Retired, LetGo]].concat());
}

#[tokio::test(start_paused = true)]
async fn pods_may_have_to_go_at_any_time() {
    let left = Left { releases: 1, deaths: 1, arrivals: 1, ..Left::default() };
    holds(usual(left), &[&DEATHS[..], &[LetGo]].concat());
}

#[tokio::test(start_paused = true)]
async fn the_chaincode_may_have_to_stop_at_any_time() {
    let left = Left { closures: 1, deaths: 1, ..Left::default() };
    holds(usual(left), &DEATHS);
}

/// Replicas that get one call each, or any number, one or two at once.
fn on_demand(concurrency: usize, calls: u32, ahead: usize, left: Left) -> Scenario {
    let terms = OnDemand {
        credential: credential(0),
        concurrency: NonZeroUsize::new(concurrency).unwrap(),
        calls: NonZeroU32::new(calls),
        idle: Duration::from_secs(1),
        ahead,
        most: NonZeroUsize::new(2).unwrap(),
        wait: Limits::default().replica_wait,
    };
    // Where no time passes, who waits for something else would have another one come for ever.
    let left = Left { arrivals: 4, ..left };
    Scenario { on_demand: Some(terms), code: [SHORT, SHORT], ..usual(left) }
}

#[tokio::test(start_paused = true)]
async fn replicas_may_come_and_go_with_each_call() {
    let left = Left { deaths: 1, ..Left::default() };
    holds(on_demand(1, 1, 0, left), &ON_DEMAND);
    holds(on_demand(1, 1, 1, left), &ON_DEMAND);
    let left = Left { no_shows: 1, deaths: 1, ..Left::default() };
    holds(on_demand(2, 2, 0, left), &ON_DEMAND);
}

#[tokio::test(start_paused = true)]
async fn replicas_may_go_when_nothing_is_to_be_done() {
    let left = Left { deaths: 1, begins: 1, ..Left::default() };
    holds(on_demand(1, 0, 0, left), &ON_DEMAND);
    let left = Left { breaches: 1, ..Left::default() };
    holds(on_demand(2, 0, 1, left), &ON_DEMAND);
}

/// What is seen wherever such replicas come, go and die.
const ON_DEMAND: [Sight; 6] =
    [Peer(Asked), Peer(Closing), Peer(Completed), Peer(Failed), RunAgain, Released];
