//! The status again and again: drawn anew in its place on a terminal, one below the other elsewhere.

use std::io::{self, Write as _};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use selvedge_client::{Address, LauncherError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use super::asked::ask;
use super::report::Report;
use super::text;
use crate::outcome::Outcome;
use crate::resolved::Form;
use crate::screen::{BAD, plain, show_while_read, size};

/// How often it is asked.
const PERIOD: Duration = Duration::from_secs(2);

/// Another screen, which leaves the one below as it was, without a cursor; and back again.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// To the first place, and what is behind the end of a line, and below the last one, is gone.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Tells it until Ctrl-C, or until nobody reads. A launcher that is not there for a while is no end.
pub(super) async fn watch(address: &Address, form: Form) -> anyhow::Result<Outcome> {
    let mut interrupted = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminated = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let screen = (form == Form::Text && size().is_some()).then(Screen::enter).transpose()?;
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let told = async {
            ticks.tick().await;
            ask(address).await.map(Report::of)
        };
        let told = tokio::select! {
            told = told => told,
            _ = interrupted.recv() => return Ok(Outcome::Interrupted),
            _ = terminated.recv() => return Ok(Outcome::Interrupted),
        };
        let is_read = match &screen {
            Some(_) => draw(&shown(&told)?)?,
            None => match form {
                Form::Text => show_while_read(&(shown(&told)? + "\n"))?,
                // Of a program it is the end.
                Form::Json => show_while_read(&(serde_json::to_string(&told?)? + "\n"))?,
            },
        };
        if !is_read {
            return Ok(Outcome::Done);
        }
    }
}

fn shown(told: &Result<Report, LauncherError>) -> anyhow::Result<String> {
    let width = size().map(|(width, _)| width);
    Ok(match told {
        Ok(report) => text::text(report, SystemTime::now(), width)?,
        Err(error) => format!("{BAD}error:{BAD:#} {}\n", plain(&error.to_string())),
    })
}

/// A terminal's other screen, until this is dropped.
struct Screen;

impl Screen {
    fn enter() -> io::Result<Self> {
        let screen = Self;
        write(ENTER)?;
        Ok(screen)
    }
}

/// Shows as many lines as the other screen has room for; whether anybody is there.
fn draw(text: &str) -> io::Result<bool> {
    let Some((_, height)) = size() else { return Ok(false) };
    let mut lines: Vec<&str> = text.lines().collect();
    // The cursor is below the last one.
    let room = usize::from(height).saturating_sub(1).max(1);
    let more = (lines.len() > room).then(|| format!("({} lines more)", lines.len() + 1 - room));
    if let Some(more) = &more {
        lines.truncate(room - 1);
        lines.push(more);
    }
    let drawn: String = lines.into_iter().flat_map(|line| [line, CLEAR_LINE, "\n"]).collect();
    show_while_read(&format!("{HOME}{drawn}{CLEAR_BELOW}"))
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs no screen.
        let _ = write(LEAVE);
    }
}

/// Straight to the terminal.
fn write(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}
