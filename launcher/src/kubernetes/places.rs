//! The places of one peer: one for each namespace in which any of its chaincode runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;

use super::ground::Ground;
use super::place::Place;
use super::sweep::{Sweeper, Times};

/// The longest name of a namespace: a DNS label (RFC 1123).
const LONGEST: usize = 63;

/// The text is no name of a namespace.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no name of a namespace: that has lower-case letters, digits and '-' alone, begins and \
     ends with a letter or digit, and has {LONGEST} characters at most"
)]
pub(crate) struct NoName(String);

/// The places, of which each is made on its first use and then kept.
pub(crate) struct Places {
    times: Times,
    /// That of the launcher's own settings.
    first: Kept,
    others: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    place: Place,
    _sweeper: AbortOnDropHandle<()>,
}

impl Kept {
    fn new(ground: Arc<Ground>, times: Times) -> Self {
        let place = Place::take(ground);
        let sweeper = Sweeper { place: place.clone(), times };
        Self { place, _sweeper: AbortOnDropHandle::new(tokio::spawn(sweeper.sweep())) }
    }
}

impl Places {
    /// Takes the first place.
    pub(crate) fn new(ground: Arc<Ground>, times: Times) -> Self {
        Self { times, first: Kept::new(ground, times), others: Mutex::default() }
    }

    /// The place of chaincode that nobody wants in another.
    pub(crate) fn first(&self) -> &Place {
        &self.first.place
    }

    /// The place in a namespace; none means the first. Whether anything may be done there, its lease
    /// tells.
    pub(crate) fn within(&self, namespace: Option<&str>) -> Result<Place, NoName> {
        let first = &self.first.place;
        let Some(namespace) = namespace.filter(|name| *name != first.ground.namespace) else {
            return Ok(first.clone());
        };
        if !is_name(namespace) {
            return Err(NoName(namespace.into()));
        }
        let mut others = self.lock();
        let kept = others.entry(namespace.into()).or_insert_with(|| {
            info!(namespace, "chaincode runs in another namespace, too");
            Kept::new(Arc::new(first.ground.within(namespace)), self.times)
        });
        Ok(kept.place.clone())
    }

    /// Gives the leases back.
    pub(crate) async fn release(&self) {
        let others: Vec<Place> = self.lock().values().map(|kept| kept.place.clone()).collect();
        let mut releases = JoinSet::new();
        for place in others {
            releases.spawn(async move { place.lease.release().await });
        }
        self.first.place.lease.release().await;
        releases.join_all().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        // No code that could panic runs under this lock.
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_name(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= LONGEST
        && text.bytes().all(|byte| alphanumeric(byte) || byte == b'-')
        && text.bytes().next().is_some_and(alphanumeric)
        && text.bytes().last().is_some_and(alphanumeric)
}

#[cfg(test)]
mod tests;
