//! Whose a chaincode's objects are just now: a run's, for as long as it lives, or the sweeper's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Notify, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::time::Instant;

/// The chaincodes of this launcher, by name.
#[derive(Default)]
pub(crate) struct Adopted {
    state: Mutex<State>,
    left: Notify,
}

#[derive(Default)]
struct State {
    /// Read by runs, written by the sweeper.
    owners: HashMap<String, Weak<RwLock<()>>>,
    /// What no run uses any more.
    left: HashMap<String, Left>,
}

/// What is to become of objects that no run uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// They could not be scaled to zero at the run's end.
    Running,
    /// They run on, and are another run's if one follows until then.
    Awaiting(Instant),
    /// Others have taken over from them: they are to be deleted.
    Discarded,
    /// If there are any, they are an earlier run's, and to be deleted.
    Superseded,
}

/// A run's hold on the objects of its chaincode.
pub(crate) struct Adoption {
    adopted: Arc<Adopted>,
    name: String,
    owner: OwnedRwLockReadGuard<()>,
}

/// The objects belong to no run, and will not until this is dropped.
pub(crate) struct Unowned(OwnedRwLockWriteGuard<()>);

impl Adopted {
    /// A run uses the objects of this name until it drops what it gets. Waits for the sweeper if
    /// that is at them.
    pub(crate) async fn adopt(self: &Arc<Self>, name: &str) -> Adoption {
        let owner = self.owner(name).read_owned().await;
        self.lock().left.remove(name);
        Adoption { adopted: Arc::clone(self), name: name.into(), owner }
    }

    /// Takes the objects if no run uses them.
    pub(crate) fn take(&self, name: &str) -> Option<Unowned> {
        self.owner(name).try_write_owned().ok().map(Unowned)
    }

    /// What is to become of the objects of this name; `None` where a run uses them, or keeps them for
    /// the next one.
    pub(crate) fn left(&self, name: &str) -> Option<Left> {
        self.lock().left.get(name).copied()
    }

    /// The names whose objects are to be deleted.
    pub(crate) fn useless(&self) -> Vec<String> {
        let state = self.lock();
        let useless = state.left.iter().filter(|(_, left)| match left {
            Left::Discarded | Left::Superseded => true,
            Left::Running | Left::Awaiting(_) => false,
        });
        useless.map(|(name, _)| name.clone()).collect()
    }

    /// The names whose objects await another run, and until when.
    pub(crate) fn awaiting(&self) -> Vec<(String, Instant)> {
        let state = self.lock();
        let awaiting = state.left.iter().filter_map(|(name, left)| match left {
            Left::Awaiting(until) => Some((name.clone(), *until)),
            Left::Running | Left::Discarded | Left::Superseded => None,
        });
        awaiting.collect()
    }

    /// Returns when a run has left objects behind since the last call.
    pub(crate) async fn changed(&self) {
        self.left.notified().await;
    }

    fn owner(&self, name: &str) -> Arc<RwLock<()>> {
        let owners = &mut self.lock().owners;
        owners.retain(|_, owner| owner.strong_count() > 0);
        let owner = owners.get(name).and_then(Weak::upgrade).unwrap_or_default();
        owners.insert(name.into(), Arc::downgrade(&owner));
        owner
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // No code that could panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Adoption {
    /// What there is of another name is of no use any more, and is deleted unless a run adopts it
    /// until then.
    pub(crate) fn supersede(&self, name: &str) {
        self.adopted.lock().left.insert(name.into(), Left::Superseded);
        self.adopted.left.notify_one();
    }

    /// The run has ended, and its objects could not be scaled to zero.
    pub(crate) fn leave_running(self) {
        self.leave(Left::Running);
    }

    /// The run has ended, and its objects are the next one's if that begins until then.
    pub(crate) fn await_next(self, until: Instant) {
        self.leave(Left::Awaiting(until));
    }

    /// The run has ended, and others have taken over from its objects.
    pub(crate) fn discard(self) {
        self.leave(Left::Discarded);
    }

    fn leave(self, left: Left) {
        let Self { adopted, name, owner } = self;
        // Before another run may have them: that is not to lose them by this.
        adopted.lock().left.insert(name, left);
        drop(owner);
        adopted.left.notify_one();
    }
}

impl Unowned {
    /// They are as they should be.
    pub(crate) fn settled(self, adopted: &Adopted, name: &str) {
        adopted.lock().left.remove(name);
        drop(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_run_uses_is_nobody_elses_until_the_last_one_has_ended() {
        let adopted = Arc::new(Adopted::default());
        let first = adopted.adopt("basic").await;
        let second = adopted.adopt("basic").await;
        assert!(adopted.take("basic").is_none() && adopted.take("other").is_some());
        drop(first);
        assert!(adopted.take("basic").is_none());
        drop(second);
        let taken = adopted.take("basic").unwrap();
        let mut next = std::pin::pin!(adopted.adopt("basic"));
        tokio::select! {
            biased;
            _ = &mut next => panic!("adopted while the sweeper was at it"),
            () = std::future::ready(()) => {}
        }
        drop(taken);
        next.await;
    }
}
