//! A plain search, breadth first: the way to a broken law that it shows is a shortest one.

use std::collections::{BTreeSet, HashSet};

use super::action::Action;
use super::world::{Sight, World};

/// What a search has come across.
pub(super) struct Found {
    /// How many states there are.
    pub(super) states: usize,
    /// What happened in some of them.
    pub(super) sights: BTreeSet<Sight>,
}

/// How a state was reached: from which one, by what.
struct Step {
    from: usize,
    action: Action,
}

/// Goes wherever one can get from `start`.
///
/// # Panics
///
/// When a law is broken, with the way there.
pub(super) fn exhaust(start: World) -> Found {
    let mut known = HashSet::from([start.fingerprint()]);
    let (mut steps, mut sights) = (Vec::new(), BTreeSet::new());
    let mut layer = vec![(usize::MAX, start)];
    while !layer.is_empty() {
        let mut next = Vec::new();
        for (from, world) in layer {
            for action in world.actions() {
                let mut after = world.clone();
                if let Err(broken) = after.act(action) {
                    panic!("{broken}, after {:#?}", way(&steps, from, action));
                }
                sights.extend(after.take_sights());
                if known.insert(after.fingerprint()) {
                    steps.push(Step { from, action });
                    next.push((steps.len() - 1, after));
                }
            }
        }
        layer = next;
    }
    Found { states: known.len(), sights }
}

fn way(steps: &[Step], mut from: usize, last: Action) -> Vec<Action> {
    let mut way = vec![last];
    while let Some(step) = steps.get(from) {
        way.push(step.action);
        from = step.from;
    }
    way.reverse();
    way
}
