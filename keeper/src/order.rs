//! What a keeper is there for, as its command line says.
//!
//! Read by hand: a keeper lives as long as its program, and a parser would take most of its memory.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::guard::{BECOME, become_program, guard};
use crate::keep::keep;
use crate::program::Program;
use crate::report::say;
use crate::terms::Terms;

/// How one ends that could not do what it is there for.
const FAILED: u8 = 125;

/// The first argument of one that keeps a chaincode running.
pub const KEEP: &str = "keep";

/// What follows is no option.
const END_OF_OPTIONS: &str = "--";

/// The first argument of one that guards a program.
pub const GUARD: &str = "guard";

/// What it is there for.
#[derive(Debug, PartialEq, Eq)]
pub enum Order {
    /// To keep a chaincode running.
    Keep {
        /// The chaincode.
        program: Program,
        /// When it is started, and how it is brought to its end.
        terms: Terms,
    },
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
            Self::keep(arguments)
        } else if order == GUARD {
            Program::read(arguments).map(Self::Guard)
        } else if order == BECOME {
            let guard = arguments.next()?;
            Program::read(arguments).map(|program| Self::Become { guard, program })
        } else {
            None
        }
    }

    /// To keep what follows the options running.
    fn keep(arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.peekable();
        let is_option = |word: &OsString| word.to_str().is_some_and(|word| word.starts_with("--"));
        let mut options = Vec::new();
        while let Some(option) = arguments.next_if(is_option) {
            if option == END_OF_OPTIONS {
                break;
            }
            options.push(option);
        }
        let terms = Terms::read(options.iter().filter_map(|option| option.to_str()))?;
        Program::read(arguments).map(|program| Self::Keep { program, terms })
    }

    /// Does it; how the process is to end then.
    pub fn obey(self) -> ExitCode {
        let done = match self {
            Self::Keep { program, terms } => keep(&program, terms),
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
    use std::time::Duration;

    use super::*;
    use crate::connection::Connection;
    use crate::ending::{Drain, Ending};
    use crate::terms::Presence;
    use crate::way::Way;

    fn read(words: &[&str]) -> Option<Order> {
        Order::read(words.iter().map(OsString::from))
    }

    #[test]
    fn a_program_is_kept_guarded_or_become() {
        let program = || Program { name: "sh".into(), arguments: vec!["-c".into(), "keep".into()] };
        let kept = |terms| Some(Order::Keep { program: program(), terms });
        assert_eq!(read(&["keep", "sh", "-c", "keep"]), kept(Terms::default()));
        assert_eq!(read(&["guard", "sh", "-c", "keep"]), Some(Order::Guard(program())));
        let order = Order::Become { guard: "7".into(), program: program() };
        assert_eq!(read(&["guarded", "7", "sh", "-c", "keep"]), Some(order));
        for nothing in
            [&[][..], &["keep"], &["keep", "--"], &["guard"], &["guarded", "7"], &["sh", "keep"]]
        {
            assert_eq!(read(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn how_a_chaincode_ends_stands_before_its_program() {
        let limit = Duration::from_secs(30);
        let drain = |connection| Some(Drain { connection, limit });
        let (to, at) = (Connection::To(7052), Connection::At(9999));
        let (way, grace) = (Way::read("10.96.0.7:7052"), Some(Duration::from_secs(2)));
        let terms =
            |way, drain, grace| Terms { way, ending: Ending { drain, grace }, ..Terms::default() };
        for (options, terms) in [
            (&[][..], Terms::default()),
            (&["--"], Terms::default()),
            (&["--grace-ms=2000"], terms(None, None, grace)),
            (&["--proxy=10.96.0.7:7052"], terms(way, None, None)),
            (&["--drain-ms=30000", "--proxy=10.96.0.7:7052"], terms(way, drain(to), None)),
            (
                &["--drain-ms=30000", "--server-port=9999", "--grace-ms=2000", "--"],
                terms(None, drain(at), grace),
            ),
        ] {
            let program = Program { name: "sh".into(), arguments: vec!["--".into()] };
            let words = [&["keep"], options, &["sh", "--"]].concat();
            assert_eq!(read(&words), Some(Order::Keep { program, terms }), "{words:?}");
        }
        for (now, is_there) in [(&[][..], false), (&["--now"], true)] {
            let program = Program { name: "sh".into(), arguments: Vec::new() };
            let words = [&["keep", "--on-demand=9998"], now, &["sh"]].concat();
            let presence = Presence::OnDemand { is_there };
            let terms = Terms { presence, orders: Some(9998), ..Terms::default() };
            assert_eq!(read(&words), Some(Order::Keep { program, terms }));
        }
        let program = Program { name: "sh".into(), arguments: Vec::new() };
        let terms = Terms { orders: Some(9998), ..Terms::default() };
        assert_eq!(read(&["keep", "--orders=9998", "sh"]), Some(Order::Keep { program, terms }));
        assert_eq!(read(&["keep", "--orders=9998", "--on-demand=9998", "sh"]), None);
        for wrong in [
            "--drain-ms=30000",
            "--on-demand=",
            "--orders=",
            "--orders=99999",
            "--now",
            "--server-port=9999",
            "--proxy=proxy:7052",
            "--grace-ms=",
            "--grace-ms=-1",
            "--server-port=99999",
            "--unknown=1",
            "--unknown",
        ] {
            assert_eq!(read(&["keep", wrong, "sh"]), None, "{wrong}");
        }
        let program = Program { name: "--grace-ms=1".into(), arguments: Vec::new() };
        let (order, terms) = (read(&["keep", "--", "--grace-ms=1"]), Terms::default());
        assert_eq!(order, Some(Order::Keep { program, terms }));
    }
}
