//! Keeps a chaincode running in its container, until that is to end.
//!
//! What the container is asked (SIGTERM, and what an image may have in its place), the chaincode is
//! asked, at the time for it (`ending.rs`) or when the container is asked a second time; when it has
//! ended then, it is not started again. What it leaves behind when it ends, ends with it.

mod on_demand;
mod orders;

use std::io;
use std::mem;
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

use crate::ending::{Drain, LOOK};
use crate::line::{Line, Stand};
use crate::memory;
use crate::program::Program;
use crate::report::{End, Report, say};
use crate::restarts::Restarts;
use crate::terms::{Presence, Terms};
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

/// What a thread has for its stack, which holds what it calls several times.
const STACK: usize = 64 << 10;

/// What the keeper does.
struct Keeper {
    terms: Terms,
    state: Mutex<State>,
    /// The state is another.
    changed: Condvar,
}

/// What a chaincode is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wish {
    /// To go on resting, or running.
    #[default]
    GoOn,
    /// To start, when it has ended if it runs: always, where it is not run on demand.
    Start,
    /// To end, though the container is not to.
    Stop,
}

#[derive(Default)]
struct State {
    /// What runs, or ran last.
    ward: Option<Arc<Mutex<Ward>>>,
    /// How that stands.
    stand: Stand,
    /// When it was started.
    begun: Option<Instant>,
    /// What it is to do next.
    wish: Wish,
    /// Where is said how it stands.
    line: Line,
    /// The container is to end.
    ends: bool,
    /// By now the chaincode is asked, too, whatever the container is asked.
    is_asked: bool,
}

/// Keeps a chaincode running, which is started only while the way to its proxy is open; how the
/// container is to end.
pub(crate) fn keep(program: &Program, terms: Terms) -> io::Result<ExitCode> {
    adopt()?;
    let wish = match terms.presence {
        Presence::OnDemand { is_there: false } => Wish::GoOn,
        Presence::Always | Presence::OnDemand { is_there: true } => Wish::Start,
    };
    let state = Mutex::new(State { wish, ..State::default() });
    let keeper = Arc::new(Keeper { terms, state, changed: Condvar::new() });
    // From now on none of them ends the keeper by itself.
    let signals = Signals::new(ENDING.iter().chain(&OTHERS))?;
    let heeding = Arc::clone(&keeper);
    spawn(move || heed(&heeding, signals))?;
    if let Some(port) = terms.orders {
        keeper.take_orders(port)?;
    }

    let (mut restarts, mut code) = (Restarts::default(), 0);
    loop {
        if !keeper.await_turn() {
            return Ok(exit_code(code));
        }
        let (begun, kills) = (Instant::now(), memory::kills());
        let ward = match keeper.start(program) {
            Ok(Some(ward)) => ward,
            Ok(None) => continue,
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
        if terms.presence == Presence::Always {
            keeper.has_ended(code);
            say(&Report { end, row, delay: Some(delay) });
            keeper.rest(delay);
        } else {
            say(&Report { end, row, delay: None });
            keeper.rests(code);
            // Nobody asks how one ended before.
            code = 0;
        }
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

fn spawn(what: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().stack_size(STACK).spawn(what).map(drop)
}

/// Hands on what the container is asked, an end at the time for it.
fn heed(keeper: &Arc<Keeper>, mut signals: Signals) {
    for signal in signals.forever() {
        let Some(named) = Signal::from_named_raw(signal) else { continue };
        if !ENDING.contains(&signal) {
            keeper.hand_on(named);
        } else if keeper.is_first_end() {
            let ending = Arc::clone(keeper);
            // Without a thread for it there is no time to be had.
            if spawn(move || ending.bring_to_its_end(named)).is_err() {
                keeper.ask(named);
            }
        } else {
            keeper.ask(named);
        }
    }
}

impl State {
    /// It stands so now, which is told.
    fn stands(&mut self, stand: Stand) {
        self.stand = stand;
        self.line.tell(stand);
    }
}

impl Keeper {
    /// The container is to end; whether it was not before.
    fn is_first_end(&self) -> bool {
        let is_first = !mem::replace(&mut lock(&self.state).ends, true);
        self.changed.notify_all();
        is_first
    }

    /// Asks the chaincode to end, when its transactions have had their time; kills it if it does not.
    fn bring_to_its_end(&self, signal: Signal) {
        self.drain();
        if !lock(&self.state).is_asked {
            self.ask(signal);
        }
        let Some(grace) = self.terms.ending.grace else { return };
        thread::sleep(grace);
        let ward = lock(&self.state).ward.clone();
        if let Some(ward) = ward {
            say(&format_args!("it did not end within {} s, and is killed", grace.as_secs_f32()));
            // What it leaves behind ends with it.
            lock(&ward).signal(Signal::KILL);
        }
    }

    /// Returns when no transaction can be in flight any more, or has no more time.
    fn drain(&self) {
        let Some(Drain { connection, limit }) = self.terms.ending.drain else { return };
        if !connection.is_there() {
            return;
        }
        let seconds = limit.as_secs_f32();
        say(&format_args!("it is to end, its transactions may finish within {seconds} s"));
        let begun = Instant::now();
        while begun.elapsed() < limit && connection.is_there() {
            let state = lock(&self.state);
            let waited = self.changed.wait_timeout_while(state, LOOK, |state| !state.is_asked);
            if waited.is_ok_and(|(state, _)| state.is_asked) {
                return;
            }
        }
    }

    /// Asks the chaincode to end.
    fn ask(&self, signal: Signal) {
        lock(&self.state).is_asked = true;
        self.changed.notify_all();
        self.hand_on(signal);
    }

    fn hand_on(&self, signal: Signal) {
        if let Some(ward) = &lock(&self.state).ward {
            lock(ward).signal(signal);
        }
    }

    /// Starts the program; none if it is not to run any more.
    fn start(&self, program: &Program) -> io::Result<Option<Arc<Mutex<Ward>>>> {
        let state = &mut *lock(&self.state);
        if state.ends || state.wish != Wish::Start {
            return Ok(None);
        }
        if self.terms.presence != Presence::Always {
            state.wish = Wish::GoOn;
        }
        let begun = Instant::now();
        let started =
            Command::new(&program.name).args(&program.arguments).process_group(0).spawn()?;
        let ward = Ward::new(&started);
        (state.ward, state.begun) = (Some(Arc::clone(&ward)), Some(begun));
        state.stands(Stand::Runs);
        Ok(Some(ward))
    }

    /// What ran has ended, with that status.
    fn has_ended(&self, code: i32) {
        lock(&self.state).stands(Stand::Ended(code));
    }

    fn ends(&self) -> bool {
        lock(&self.state).ends
    }

    /// Returns after this time, or when the container is to end; whether it is.
    fn rest(&self, time: Duration) -> bool {
        let state = lock(&self.state);
        // Poisoned or not, the next look at the state tells.
        drop(self.changed.wait_timeout_while(state, time, |state| !state.ends));
        self.ends()
    }
}
