//! Which replicas there are, kept by what starts and ends them, for whoever asks.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use selvedge_proto::launcher::{ReplicaState, ReplicaStatus};
use selvedge_proxy::ReplicaPlace;

use crate::epoch::seconds;

/// The replicas of a set, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roll(Arc<Mutex<BTreeMap<String, Present>>>);

/// One that is there.
#[derive(Clone, Debug)]
pub(crate) struct Present {
    /// The node that it is on; empty if that is not known, or there are none.
    pub(crate) node: String,
    /// Since when it is there.
    pub(crate) since: SystemTime,
    /// By what its connection with the proxy is known.
    pub(crate) mark: Mark,
    /// Whether it is to go.
    pub(crate) is_leaving: bool,
}

/// By what the connection of a replica is known.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    /// The number of its seat, which is in its certificate.
    Seat(u32),
    /// Where it listens.
    At(SocketAddr),
    /// It comes from one of these addresses, or listens there.
    Of(Vec<IpAddr>),
}

impl Mark {
    fn is_of(&self, place: &ReplicaPlace) -> bool {
        match self {
            Self::Seat(seat) => place.seat == Some(*seat),
            Self::At(address) => place.address == Some(*address),
            Self::Of(addresses) => place.address.is_some_and(|at| addresses.contains(&at.ip())),
        }
    }
}

impl Roll {
    /// One is there.
    pub(crate) fn enter(&self, name: String, present: Present) {
        self.present().insert(name, present);
    }

    /// One is to go.
    pub(crate) fn leaves(&self, name: &str) {
        if let Some(present) = self.present().get_mut(name) {
            present.is_leaving = true;
        }
    }

    /// One is not there any more.
    pub(crate) fn strike(&self, name: &str) {
        self.present().remove(name);
    }

    /// These are there, and no others.
    pub(crate) fn set(&self, all: impl Iterator<Item = (String, Present)>) {
        let all = all.collect();
        *self.present() = all;
    }

    /// How each of them is, of which these are registered.
    pub(crate) fn call(&self, registered: &[ReplicaPlace]) -> Vec<ReplicaStatus> {
        let told = |(name, present): (&String, &Present)| ReplicaStatus {
            name: name.clone(),
            node: present.node.clone(),
            state: state(present, registered).into(),
            since: seconds(present.since),
        };
        self.present().iter().map(told).collect()
    }

    fn present(&self) -> MutexGuard<'_, BTreeMap<String, Present>> {
        // No code that could panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn state(present: &Present, registered: &[ReplicaPlace]) -> ReplicaState {
    if present.is_leaving {
        ReplicaState::Leaving
    } else if registered.iter().any(|place| present.mark.is_of(place)) {
        ReplicaState::Registered
    } else {
        ReplicaState::Unregistered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_of_as_far_as_it_is() {
        let roll = Roll::default();
        let present = |mark| Present {
            node: "node-1".into(),
            since: SystemTime::UNIX_EPOCH,
            mark,
            is_leaving: false,
        };
        let at =
            |text: &str| ReplicaPlace { address: text.parse().ok(), ..ReplicaPlace::default() };
        roll.enter("pod".into(), present(Mark::Of(vec!["10.0.0.7".parse().unwrap()])));
        roll.enter("other".into(), present(Mark::Of(vec!["10.0.0.8".parse().unwrap()])));
        roll.enter("listens".into(), present(Mark::At("127.0.0.1:9".parse().unwrap())));
        roll.enter("seat".into(), present(Mark::Seat(3)));
        roll.enter("goes".into(), present(Mark::Seat(4)));
        roll.enter("gone".into(), present(Mark::Seat(5)));
        roll.leaves("goes");
        roll.strike("gone");
        let seat = |seat| ReplicaPlace { seat: Some(seat), ..ReplicaPlace::default() };
        let registered = [at("10.0.0.7:4711"), at("127.0.0.1:9"), seat(3), seat(4)];
        let told: Vec<_> = roll
            .call(&registered)
            .into_iter()
            .map(|replica| (replica.name.clone(), replica.state()))
            .collect();
        let of = |name: &str, state| (name.to_owned(), state);
        assert_eq!(
            told,
            [
                of("goes", ReplicaState::Leaving),
                of("listens", ReplicaState::Registered),
                of("other", ReplicaState::Unregistered),
                of("pod", ReplicaState::Registered),
                of("seat", ReplicaState::Registered),
            ]
        );
        roll.set(std::iter::empty());
        assert!(roll.call(&registered).is_empty());
    }
}
