//! How a command ends: what it raised ends with it, by Ctrl-C, too.

use std::process::{ExitCode, exit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::steps::BAD;

/// Within this time a signal is known to be one.
const SIGNAL: Duration = Duration::from_millis(50);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Runs a command; an error is written to standard error.
pub fn of(command: impl FnOnce() -> Result<()>) -> ExitCode {
    let result = clean_up_on_ctrl_c().and_then(|()| command());
    if result.is_err() {
        // A program that we run is told of a Ctrl-C, too, and may have failed of it by now.
        thread::sleep(SIGNAL);
    }
    if INTERRUPTED.load(Ordering::SeqCst) {
        // No failure to report, and no success: the handler exits when all is gone.
        loop {
            thread::park();
        }
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("{BAD}error:{BAD:#} {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A signal ends us without destructors: what the testbed raised is ended here.
fn clean_up_on_ctrl_c() -> Result<()> {
    ctrlc::set_handler(|| {
        INTERRUPTED.store(true, Ordering::SeqCst);
        anstream::eprintln!("\ninterrupted: ending what was started");
        testbed::end_all();
        exit(130);
    })
    .context("cannot handle Ctrl-C")
}
