//! The places of one peer: one for each namespace in which any of its chaincode runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;

use super::ground::Ground;
use super::place::Place;
use super::sweep::Sweeper;
use crate::configuration::Configuration;

/// The places, of which each is made on its first use and then kept.
pub(crate) struct Places {
    configuration: Configuration,
    /// That of the launcher's own settings.
    first: Kept,
    others: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    place: Place,
    _sweeper: AbortOnDropHandle<()>,
}

impl Kept {
    fn new(ground: Arc<Ground>, configuration: Configuration) -> Self {
        let place = Place::take(ground);
        let sweeper = Sweeper { place: place.clone(), configuration };
        Self { place, _sweeper: AbortOnDropHandle::new(tokio::spawn(sweeper.sweep())) }
    }
}

impl Places {
    /// Takes the first place.
    pub(crate) fn new(ground: Arc<Ground>, configuration: Configuration) -> Self {
        let first = Kept::new(ground, configuration.clone());
        Self { configuration, first, others: Mutex::default() }
    }

    /// That in which the launcher began.
    pub(crate) fn first(&self) -> &Place {
        &self.first.place
    }

    /// The namespaces of those that were used so far.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        let mut namespaces: Vec<String> = self.lock().keys().cloned().collect();
        namespaces.push(self.first.place.ground.namespace.clone());
        namespaces.sort();
        namespaces
    }

    /// The place in a namespace. Whether anything may be done there, its lease tells.
    pub(crate) fn within(&self, namespace: &str) -> Place {
        let first = &self.first.place;
        if namespace == first.ground.namespace {
            return first.clone();
        }
        let mut others = self.lock();
        let kept = others.entry(namespace.into()).or_insert_with(|| {
            info!(namespace, "chaincode runs in another namespace, too");
            Kept::new(Arc::new(first.ground.within(namespace)), self.configuration.clone())
        });
        kept.place.clone()
    }

    /// Ends what awaits another run, if none can come, and gives the leases back.
    pub(crate) async fn release(&self) {
        let others: Vec<Place> = self.lock().values().map(|kept| kept.place.clone()).collect();
        let mut releases = JoinSet::new();
        for place in others {
            releases.spawn(async move { place.release().await });
        }
        self.first.place.release().await;
        releases.join_all().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        // No code that could panic runs under this lock.
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
