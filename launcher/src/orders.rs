//! What a process of this program is there for that is no launcher, as its command line says: the parent
//! of another program, or what becomes one that is confined.

use std::ffi::OsString;
use std::process::ExitCode;

use selvedge_keeper::guard::depend_on;
use selvedge_keeper::order::Order;
use selvedge_keeper::report::say;

use crate::local::restraint::Restrained;
use crate::local::rooted;
use crate::this_program::THIS;

/// How one ends that could not do what it is there for.
const FAILED: u8 = 125;

/// Does what is ordered; how the process is to end then. None of a launcher.
pub(crate) fn obey() -> Option<ExitCode> {
    match Order::read(std::env::args_os().skip(1)) {
        // What has this program start once more costs some milliseconds, and is not needed.
        Some(Order::Become { guard, program }) if program.name == THIS => {
            if let Err(error) = depend_on(&guard) {
                say(&error);
                return Some(ExitCode::from(FAILED));
            }
            obey_own(program.words().map(OsString::from))
                .or_else(|| Some(Order::Become { guard, program }.obey()))
        }
        Some(order) => Some(order.obey()),
        None => obey_own(std::env::args_os()),
    }
}

fn obey_own(words: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let words: Vec<OsString> = words.collect();
    if let Some(order) = rooted::Order::read(words.iter().cloned()) {
        return Some(order.obey());
    }
    Restrained::read(words.into_iter()).map(Restrained::obey)
}
