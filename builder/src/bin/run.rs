//! The peer's `run`.

use std::process::ExitCode;

fn main() -> ExitCode {
    selvedge_builder::run::main(std::env::args_os().skip(1))
}
