//! How an executable that waits for the launcher is run: one thread, and its
//! lines on stderr.

use std::{error::Error, process::ExitCode};

use tokio::runtime::Builder;

use crate::lines::{self, Lines};

/// Runs the executable's work. An error is its last line and makes the exit code 1.
pub(crate) fn with_lines<E: Error + 'static>(
    work: impl AsyncFnOnce(&Lines) -> Result<(), E>,
) -> ExitCode {
    let prepared = Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| Ok((runtime, Lines::start()?)));
    let (runtime, lines) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            lines::write(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        let outcome = work(&lines).await;
        lines.finish(outcome.as_ref().err().map(|error| error as _)).await;
        outcome.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
    })
}
