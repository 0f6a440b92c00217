//! `selvedge`: what was typed, what it resolves to, then effects.

mod compile;
mod inspect;
mod listing;
mod package;
mod resolved;
mod typed;

use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{CommandFactory, Parser};

use crate::resolved::Request;
use crate::typed::Typed;

/// What a command came to, as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done = 0,
    Refused = 1,
}

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();

fn main() -> ExitCode {
    let request = resolved::resolve(Typed::parse());
    match run(request) {
        Ok(outcome) => ExitCode::from(outcome as u8),
        Err(error) if is_interrupt(&error) => {
            complain(&error);
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            complain(&error);
            ExitCode::from(Outcome::Refused as u8)
        }
    }
}

fn run(request: Request) -> anyhow::Result<Outcome> {
    match request {
        Request::Package(request) => package::run(&request),
        Request::Inspect(request) => inspect::run(&request),
        Request::Completions(shell) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Typed::command(), "selvedge", &mut script);
            show(&String::from_utf8_lossy(&script))?;
            Ok(Outcome::Done)
        }
    }
}

fn is_interrupt(error: &anyhow::Error) -> bool {
    use selvedge_buildpack::package::{InspectError, WriteError};
    matches!(error.downcast_ref(), Some(WriteError::Interrupted))
        || matches!(error.downcast_ref(), Some(InspectError::Interrupted))
}

fn complain(error: &anyhow::Error) {
    anstream::eprintln!("{BAD}error:{BAD:#} {error:#}");
}

/// Prints to standard output; colours only reach a terminal. A reader that has seen enough, such
/// as `head`, is no error.
pub(crate) fn show(text: &str) -> io::Result<()> {
    let mut output = anstream::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
