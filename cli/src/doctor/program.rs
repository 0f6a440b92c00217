//! A program, run to see what it does: for a moment, and without a word of it on the screen.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long it may take: a peer waits for none either.
const LIMIT: Duration = Duration::from_secs(5);

/// How often is looked whether it has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// The most that is read of what it says, in bytes.
const LONGEST: u64 = 256;

/// What it says on standard output, and whether it ended well; none if it could not be run, or did not
/// end.
pub(super) fn said(program: &Path, arguments: &[&Path]) -> Option<(String, bool)> {
    let mut running = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let began = Instant::now();
    let status = loop {
        if let Some(status) = running.try_wait().ok()? {
            break status;
        }
        if began.elapsed() > LIMIT {
            let _ = running.kill();
            let _ = running.wait();
            return None;
        }
        sleep(PAUSE);
    };
    let mut said = Vec::new();
    running.stdout.take()?.take(LONGEST).read_to_end(&mut said).ok()?;
    Some((String::from_utf8_lossy(&said).trim().to_owned(), status.success()))
}
