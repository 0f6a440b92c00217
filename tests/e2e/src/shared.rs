//! A stage that the tests of a suite share, one at a time.

use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use testbed::Mark;

use crate::stage::Stage;

/// A stage that is raised when the first test needs it. It lives in a static, so
/// it ends with the test process: the testbed's janitors see to that.
pub struct SharedStage {
    raise: fn() -> Stage,
    stage: OnceLock<Stage>,
    turn: Mutex<()>,
}

/// A test's turn on a shared stage. Prints what the servers logged meanwhile
/// when the test fails.
pub struct Turn<'a> {
    /// Where the peer's log was when the turn began.
    pub peer_mark: Mark,
    /// Where the launcher's log was.
    pub launcher_mark: Mark,
    stage: &'a Stage,
    _others_wait: MutexGuard<'a, ()>,
}

impl SharedStage {
    /// A stage that `raise` raises.
    pub const fn new(raise: fn() -> Stage) -> Self {
        Self { raise, stage: OnceLock::new(), turn: Mutex::new(()) }
    }

    /// Waits until no other test is on the stage.
    pub fn enter(&self) -> Turn<'_> {
        // A test that failed leaves the stage to the others all the same.
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let stage = self.stage.get_or_init(self.raise);
        Turn {
            peer_mark: stage.peer().log().mark(),
            launcher_mark: stage.launcher.log().mark(),
            stage,
            _others_wait: turn,
        }
    }
}

impl Turn<'_> {
    /// What the peer logged since the turn began.
    pub fn peer_lines(&self) -> String {
        self.peer().log().since(self.peer_mark)
    }

    /// What the launcher logged since the turn began.
    pub fn launcher_lines(&self) -> String {
        self.launcher.log().since(self.launcher_mark)
    }
}

impl Deref for Turn<'_> {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        self.stage
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            for log in [self.launcher.log(), self.peer().log()] {
                eprintln!("-- {}:\n{}", log.path().display(), log.tail());
            }
            // The tests to come find both running, whatever this one did to them.
            let restarted = (self.launcher.restart(), self.peer().restart());
            eprintln!("-- restarted: {restarted:?}");
        }
    }
}
