//! Where the keeper is, the program that is the first process beside a chaincode.

use std::io;
use std::path::PathBuf;

/// What it is called, beside the launcher.
const NAME: &str = "selvedge-keeper";

/// The keeper's file.
pub(crate) fn keeper_program() -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(NAME))
}
