//! What a keeper is there for, as its command line says.
//!
//! Read by hand: a keeper lives as long as its program, and a parser would take most of its memory.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::guard::{BECOME, become_program, guard};
use crate::keep::keep;
use crate::program::Program;
use crate::report::say;

/// How one ends that could not do what it is there for.
const FAILED: u8 = 125;

/// The first argument of one that keeps a chaincode running.
pub const KEEP: &str = "keep";

/// The first argument of one that guards a program.
pub const GUARD: &str = "guard";

/// What it is there for.
#[derive(Debug, PartialEq, Eq)]
pub enum Order {
    /// To keep a chaincode running.
    Keep(Program),
    /// To guard a program.
    Guard(Program),
    /// To become the program that a guard has.
    Become {
        /// The guard's process ID.
        guard: OsString,
        /// The program.
        program: Program,
    },
}

impl Order {
    /// What the arguments order; none if that is nothing.
    pub fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let order = arguments.next()?;
        if order == KEEP {
            Program::read(arguments).map(Self::Keep)
        } else if order == GUARD {
            Program::read(arguments).map(Self::Guard)
        } else if order == BECOME {
            let guard = arguments.next()?;
            Program::read(arguments).map(|program| Self::Become { guard, program })
        } else {
            None
        }
    }

    /// Does it; how the process is to end then.
    pub fn obey(self) -> ExitCode {
        let done = match self {
            Self::Keep(program) => keep(&program),
            Self::Guard(program) => guard(&program).map(|()| ExitCode::SUCCESS),
            Self::Become { guard, program } => Err(become_program(&guard, &program)),
        };
        done.unwrap_or_else(|error| {
            say(&error);
            ExitCode::from(FAILED)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Option<Order> {
        Order::read(words.iter().map(OsString::from))
    }

    #[test]
    fn a_program_is_kept_guarded_or_become() {
        let program = || Program { name: "sh".into(), arguments: vec!["-c".into(), "keep".into()] };
        assert_eq!(read(&["keep", "sh", "-c", "keep"]), Some(Order::Keep(program())));
        assert_eq!(read(&["guard", "sh", "-c", "keep"]), Some(Order::Guard(program())));
        let order = Order::Become { guard: "7".into(), program: program() };
        assert_eq!(read(&["guarded", "7", "sh", "-c", "keep"]), Some(order));
        for nothing in [&[][..], &["keep"], &["guard"], &["guarded", "7"], &["sh", "keep"]] {
            assert_eq!(read(nothing), None, "{nothing:?}");
        }
    }
}
