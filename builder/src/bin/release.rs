//! The peer's `release`.

use std::process::ExitCode;

fn main() -> ExitCode {
    selvedge_builder::release::main(std::env::args_os().skip(1))
}
