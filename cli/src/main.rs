//! `selvedge`: what was typed, what it resolves to, then effects.

mod asking;
mod builds;
mod columns;
mod compile;
mod config;
mod doctor;
mod image;
mod inspect;
mod lines;
mod listing;
mod logs;
mod moment;
mod operators_file;
mod outcome;
mod package;
mod render;
mod resolved;
mod screen;
mod status;
mod tools;
mod typed;
mod vendor;
mod yaml;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::outcome::Outcome;
use crate::resolved::Request;
use crate::screen::{BAD, show};
use crate::typed::Typed;

fn main() -> ExitCode {
    let request = resolved::resolve(Typed::parse());
    match run(request) {
        Ok(outcome) => ExitCode::from(outcome as u8),
        Err(error) if is_interrupt(&error) => {
            complain(&error);
            ExitCode::from(Outcome::Interrupted as u8)
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
        Request::InspectImage(request) => image::run(&request),
        Request::Config(request) => config::run(&request),
        Request::Render(request) => render::run(&request),
        Request::Status(request) => status::run(request),
        Request::Logs(request) => logs::run(request),
        Request::Builds(request) => builds::run(request),
        Request::Doctor(request) => doctor::run(request),
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
