//! Programs without what root alone may do.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// The command as any user's: root's capabilities, to which no mode of a file means anything, are
/// given up, but for the one without which root alone, of all users, cannot be somebody in a namespace
/// (`user_namespaces(7)`). `setpriv` becomes the program, so the process ID stays.
pub fn unprivileged(program: &Path, arguments: Vec<OsString>) -> (PathBuf, Vec<OsString>) {
    if !geteuid().is_root() {
        return (program.to_owned(), arguments);
    }
    let without = ["--bounding-set=-all,+setfcap", "--inh-caps=-all", "--"].map(OsString::from);
    let whole = without.into_iter().chain([program.into()]).chain(arguments);
    ("setpriv".into(), whole.collect())
}
