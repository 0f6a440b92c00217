//! `detect SRC META`: whether a chaincode is Selvedge's to build or to run, or to tell the peer where
//! it is.
//!
//! The peer asks it for every chaincode that is installed, and takes any exit
//! code but 0 for "not mine": it is quick, and silent when it declines.

use std::{ffi::OsString, process::ExitCode};

use selvedge_package::Handling;

use crate::{
    lines,
    metadata::Metadata,
    usage::{self, MISUSE},
};

/// Decides from the package's metadata alone: exit code 0 for a type that Selvedge
/// takes, 1 for any other, 2 when the metadata can not be read.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let [_source, metadata] = match usage::directories(arguments, "detect SRC META") {
        Ok(directories) => directories,
        Err(misuse) => return misuse,
    };
    match Metadata::read(&metadata).map(|metadata| metadata.handling()) {
        Ok(Handling::Built | Handling::Named | Handling::Served) => ExitCode::SUCCESS,
        Ok(Handling::Declined) => ExitCode::FAILURE,
        Err(error) => {
            lines::write(&lines::chain(&error));
            ExitCode::from(MISUSE)
        }
    }
}
