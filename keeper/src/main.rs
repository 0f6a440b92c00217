//! `selvedge-keeper`: the first process beside a chaincode.

use std::process::ExitCode;

use selvedge_keeper::order::Order;
use selvedge_keeper::report::say;

fn main() -> ExitCode {
    Order::read(std::env::args_os().skip(1)).map_or_else(
        || {
            say(&"usage: selvedge-keeper keep [--OPTION=VALUE]... [--] PROGRAM [ARGUMENT]...; \
                  selvedge-keeper guard PROGRAM [ARGUMENT]...");
            ExitCode::FAILURE
        },
        Order::obey,
    )
}
