//! Replicas that drop, delay, repeat, half-close and lie, in any order and number (`proptest`).

use std::env;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use selvedge_proxy::{Event, Limits};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::fake::PACKAGE;
use crate::fake::faulty::{Deeds, Fault, Faulty};
use crate::fake::replica::Replica;
use crate::fake::scene::{Scene, Stage, greeting};
use crate::fake::simulation::{Fate, Simulation};

/// How many cases a run tries; more with `PROPTEST_CASES`.
const CASES: u32 = 48;

/// What happens in one case.
#[derive(Clone, Debug)]
struct Plan {
    /// How many requests each transaction makes.
    transactions: Vec<u8>,
    /// What becomes of the words of the first replicas; those that come after them have no faults.
    replicas: Vec<Vec<Option<Fault>>>,
    /// How long the peer takes to answer.
    turns: u8,
}

fn plan(fault: impl Strategy<Value = Fault>) -> impl Strategy<Value = Plan> {
    let faults = vec(weighted(0.2, fault), 0..12);
    let parts = (vec(0..6_u8, 1..8), vec(faults, 0..6), 0..30_u8);
    parts.prop_map(|(transactions, replicas, turns)| Plan { transactions, replicas, turns })
}

fn delay() -> impl Strategy<Value = Fault> {
    (0..40_u8).prop_map(Fault::Delayed)
}

fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => delay(),
        1 => Just(Fault::Dropped),
        2 => Just(Fault::Twice),
        2 => (0..8_usize).prop_map(Fault::OfAnother),
        1 => Just(Fault::Illegal),
        1 => Just(Fault::Half),
        2 => Just(Fault::Closed),
        2 => Just(Fault::Killed),
    ]
}

/// Replicas that only take their time, and one of which dies in one way or the other.
fn one_death() -> impl Strategy<Value = Plan> {
    let death = prop_oneof![Just(Fault::Closed), Just(Fault::Killed)];
    (plan(delay()), 0..12_usize, death).prop_map(|(mut plan, place, death)| {
        if plan.replicas.is_empty() {
            plan.replicas.push(Vec::new());
        }
        let first = &mut plan.replicas[0];
        first.resize(first.len().max(place + 1), None);
        first[place] = Some(death);
        plan
    })
}

/// Tries cases until one fails, of which a small one is shown.
fn try_all(plans: &impl Strategy<Value = Plan>, check: impl Fn(&Plan, &Simulation)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let cases = env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = Config {
        cases: cases.unwrap_or(CASES),
        // The same ones each time: who looks for more asks for more.
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        ..Config::default()
    };
    let tried = TestRunner::new(config).run(plans, |plan| {
        check(&plan, &runtime.block_on(play(&plan)));
        Ok(())
    });
    tried.unwrap();
}

/// Has it happen, and then a transaction that nothing happens to.
async fn play(plan: &Plan) -> Simulation {
    let (Scene { stage, peer }, first) = Scene::new(Limits::default()).await;
    let deeds = Deeds::default();
    let mut simulation = Simulation::new(peer, plan.turns, deeds.clone());
    let txids: Vec<_> = (0..plan.transactions.len()).map(|number| format!("tx{number}")).collect();
    let (stop, stopped) = oneshot::channel();
    let company = Company { stage, hired: 0, replicas: JoinSet::new(), txids, deeds };
    let mut company = tokio::spawn(company.run(first, plan.replicas.clone(), stopped));
    for (txid, requests) in plan.transactions.iter().enumerate() {
        simulation.begin(&format!("tx{txid}"), *requests).await;
    }
    tokio::select! {
        biased;
        ended = &mut company => panic!("no replica is left: {:?}", ended.err()),
        () = simulation.finish() => {}
    }
    stop.send(()).expect("somebody waits for it");
    let mut company = company.await.unwrap();
    company.hire(Vec::new()).await;
    simulation.begin("probe", 3).await;
    simulation.finish().await;
    assert_eq!(simulation.fates["probe"], Fate::Completed);
    simulation
}

/// The replicas, of which there are two at any time.
struct Company {
    stage: Stage,
    hired: usize,
    replicas: JoinSet<()>,
    txids: Vec<String>,
    deeds: Deeds,
}

impl Company {
    /// Replaces who ends, until it is told to stop; nobody is left then.
    async fn run(
        mut self,
        first: Replica,
        faults: Vec<Vec<Option<Fault>>>,
        mut stopped: oneshot::Receiver<()>,
    ) -> Self {
        let mut faults = faults.into_iter();
        self.take(first, faults.next().unwrap_or_default());
        loop {
            while self.replicas.len() < 2 {
                self.hire(faults.next().unwrap_or_default()).await;
            }
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                ended = self.replicas.join_next() => ended.expect("there are two").unwrap(),
            }
        }
        self.replicas.shutdown().await;
        for _ in 0..self.hired {
            let is_lost = |event| {
                matches!(event, Event::ReplicaGone { .. } | Event::ReplicaCutOff { .. })
                    .then_some(())
            };
            self.stage.event("the loss of each", is_lost).await;
        }
        self
    }

    async fn hire(&mut self, faults: Vec<Option<Fault>>) {
        // One of its own: what others have broken is not held against it.
        let identity = self.stage.authority.replica(PACKAGE);
        let mut replica = self.stage.connect(Some(&identity)).await.unwrap();
        replica.register().await;
        greeting(&mut replica).await;
        self.take(replica, faults);
    }

    fn take(&mut self, replica: Replica, faults: Vec<Option<Fault>>) {
        self.hired += 1;
        let (txids, deeds) = (self.txids.clone(), self.deeds.clone());
        self.replicas.spawn(Faulty::new(replica, faults, txids, deeds).run());
    }
}

#[test]
fn whatever_replicas_do_each_transaction_has_one_end_and_the_right_one() {
    // What has to be so is asserted while it happens.
    try_all(&plan(any_fault()), |plan, simulation| {
        assert_eq!(simulation.fates.len(), plan.transactions.len() + 1);
    });
}

#[test]
fn one_death_whenever_is_noticed_by_nobody() {
    try_all(&one_death(), |_, simulation| {
        assert!(simulation.fates.values().all(|fate| *fate == Fate::Completed));
    });
}
