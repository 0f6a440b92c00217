//! Keeps a chaincode running in its container, until that is to end.
//!
//! What the container is asked (SIGTERM, and what an image may have in its place), the chaincode is
//! asked; when it has ended then, it is not started again. What it leaves behind when it ends, ends
//! with it.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::ioctl_fionread;
use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::memory;
use crate::program::Program;
use crate::report::{End, Report, say};
use crate::restarts::Restarts;
use crate::ward::{Ward, adopt, lock, outlive};

/// By these a container is asked to end (`STOPSIGNAL` of an image).
const ENDING: [i32; 4] = [SIGTERM, SIGINT, SIGQUIT, SIGHUP];

/// By these a program may be asked anything else.
const OTHERS: [i32; 2] = [SIGUSR1, SIGUSR2];

/// How a container ends whose program is not there, or cannot be run (the shells' convention).
const UNFOUND: u8 = 127;
const UNRUNNABLE: u8 = 126;

/// How long it may take until the chaincode's last lines have been read.
const TAKEN: Duration = Duration::from_millis(50);

/// How long it is waited before it is asked again whether they were.
const AGAIN: Duration = Duration::from_millis(1);

/// What the keeper does.
#[derive(Default)]
struct Keeper {
    state: Mutex<State>,
    /// The state is another.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What runs, or ran last.
    ward: Option<Arc<Mutex<Ward>>>,
    /// The container is to end.
    ends: bool,
}

/// Keeps a chaincode running; how the container is to end.
pub(crate) fn keep(program: &Program) -> io::Result<ExitCode> {
    adopt()?;
    let keeper = Arc::new(Keeper::default());
    // From now on none of them ends the keeper by itself.
    let signals = Signals::new(ENDING.iter().chain(&OTHERS))?;
    let heeding = Arc::clone(&keeper);
    thread::spawn(move || heeding.heed(signals));

    let (mut restarts, mut code) = (Restarts::default(), 0);
    loop {
        let (begun, kills) = (Instant::now(), memory::kills());
        let ward = match keeper.start(program) {
            Ok(Some(ward)) => ward,
            Ok(None) => return Ok(exit_code(code)),
            Err(error) => {
                say(&format_args!("cannot start {}: {error}", program.name.display()));
                let is_there = error.kind() != io::ErrorKind::NotFound;
                return Ok(ExitCode::from(if is_there { UNRUNNABLE } else { UNFOUND }));
            }
        };
        let end = end(outlive(&ward)?.unwrap_or_default(), kills);
        code = end.code();
        let (row, delay) = restarts.ended(begun.elapsed());
        if keeper.ends() {
            return Ok(exit_code(code));
        }
        await_taken();
        say(&Report { end, row, delay });
        keeper.rest(delay);
    }
}

/// How the chaincode ended, before whose start the kernel had killed so often for want of memory.
fn end(status: ExitStatus, kills_before: Option<u64>) -> End {
    match End::of(status) {
        End::Signalled(signal) if signal == Signal::KILL.as_raw() => {
            let more = memory::kills().zip(kills_before).is_some_and(|(now, before)| now > before);
            if more { End::OutOfMemory } else { End::Signalled(signal) }
        }
        end => end,
    }
}

/// Waits until what the chaincode wrote has been read, for what the keeper writes is read from another
/// pipe, and is to follow it.
fn await_taken() {
    let limit = Instant::now() + TAKEN;
    // What is no pipe has no reader to wait for.
    while ioctl_fionread(io::stdout().as_fd()).is_ok_and(|unread| unread > 0)
        && Instant::now() < limit
    {
        thread::sleep(AGAIN);
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

impl Keeper {
    /// Hands on what the container is asked.
    fn heed(&self, mut signals: Signals) {
        for signal in signals.forever() {
            let mut state = lock(&self.state);
            if let (Some(ward), Some(signal)) = (&state.ward, Signal::from_named_raw(signal)) {
                lock(ward).signal(signal);
            }
            state.ends |= ENDING.contains(&signal);
            self.changed.notify_all();
        }
    }

    /// Starts the program; none if the container is to end.
    fn start(&self, program: &Program) -> io::Result<Option<Arc<Mutex<Ward>>>> {
        let mut state = lock(&self.state);
        if state.ends {
            return Ok(None);
        }
        let started =
            Command::new(&program.name).args(&program.arguments).process_group(0).spawn()?;
        let ward = Ward::new(&started);
        state.ward = Some(Arc::clone(&ward));
        Ok(Some(ward))
    }

    fn ends(&self) -> bool {
        lock(&self.state).ends
    }

    /// Returns after this time, or when the container is to end.
    fn rest(&self, time: Duration) {
        let state = lock(&self.state);
        // Poisoned or not, the next look at the state tells.
        drop(self.changed.wait_timeout_while(state, time, |state| !state.ends));
    }
}
