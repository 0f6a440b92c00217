//! Which of the many things that one task polls have something to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Wake, Waker};

use atomic_waker::AtomicWaker;

/// The task waits: who wakes a source wakes the task.
const RESTING: u8 = 0;
/// The task polls its sources and looks again before it rests.
const POLLING: u8 = 1;
/// As before, and there is something to look at.
const WOKEN: u8 = 2;

/// The task's side: makes sources, and knows when none is left to be polled.
#[derive(Clone, Default)]
pub(crate) struct Wakes(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: AtomicU8,
    task: AtomicWaker,
}

/// Something that is polled when it was woken, and not otherwise.
pub(crate) struct Source {
    flag: Arc<Flag>,
    waker: Waker,
}

struct Flag {
    woken: AtomicBool,
    shared: Arc<Shared>,
}

impl Wakes {
    /// A new source, which is to be polled at once.
    pub(crate) fn source(&self) -> Source {
        let flag = Arc::new(Flag { woken: AtomicBool::new(false), shared: Arc::clone(&self.0) });
        let waker = Waker::from(Arc::clone(&flag));
        waker.wake_by_ref();
        Source { flag, waker }
    }

    /// Says whom to wake; the task that polls the sources now.
    pub(crate) fn register(&self, task: &Waker) {
        self.0.task.register(task);
    }

    /// To be called before the sources are looked at.
    pub(crate) fn begin(&self) {
        // Not a plain store: it would not make sure that the mark of a source is seen whose
        // wake-up it takes back.
        self.0.state.swap(POLLING, Ordering::SeqCst);
    }

    /// Whether no source was woken since [`Self::begin`]: the task may rest, and is woken.
    pub(crate) fn rest(&self) -> bool {
        let state = &self.0.state;
        state.compare_exchange(POLLING, RESTING, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

impl Source {
    /// What wakes this source.
    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Whether it was woken since the last call.
    pub(crate) fn take(&self) -> bool {
        // The first look is a plain read: most sources have nothing most of the time.
        self.flag.woken.load(Ordering::Relaxed) && self.flag.woken.swap(false, Ordering::SeqCst)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        // A source that is woken by the polling of another costs no turn of the runtime.
        if self.shared.state.swap(WOKEN, Ordering::SeqCst) == RESTING {
            self.shared.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_source_wakes_the_task_when_it_rests_and_only_then() {
        let (wakes, task) = (Wakes::default(), Arc::new(Task::default()));
        wakes.register(&Waker::from(Arc::clone(&task)));
        let (one, other) = (wakes.source(), wakes.source());
        let woken = || task.0.load(Ordering::SeqCst);
        assert_eq!(woken(), 1);
        wakes.begin();
        assert!(one.take() && other.take() && !one.take());
        other.waker().wake_by_ref();
        assert!(!wakes.rest(), "the other has something to do");
        wakes.begin();
        assert!(other.take() && !one.take());
        assert!(wakes.rest());
        assert_eq!(woken(), 1);
        // The task's waker is taken when it is used, and told anew with each turn.
        wakes.register(&Waker::from(Arc::clone(&task)));
        one.waker().wake_by_ref();
        other.waker().wake_by_ref();
        assert_eq!(woken(), 2);
    }
}
