//! The peer's `detect`.

use std::process::ExitCode;

fn main() -> ExitCode {
    selvedge_builder::detect::main(std::env::args_os().skip(1))
}
