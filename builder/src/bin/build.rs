//! The peer's `build`.

use std::process::ExitCode;

fn main() -> ExitCode {
    selvedge_builder::build::main(std::env::args_os().skip(1))
}
