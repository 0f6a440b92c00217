//! What the peer passes on the command line: so many directories, no more, no fewer.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use crate::lines;

/// The exit code for a call that makes no sense.
pub(crate) const MISUSE: u8 = 2;

/// What has an executable say which it is, as `selvedge doctor` asks it.
const VERSION: &str = "--version";

/// Takes the directories that `usage` names, or writes the usage line, or the version if that is asked
/// for.
pub(crate) fn directories<const N: usize>(
    arguments: impl Iterator<Item = OsString>,
    usage: &str,
) -> Result<[PathBuf; N], ExitCode> {
    let directories: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    if let [only] = &directories[..]
        && only.as_os_str() == VERSION
    {
        println!("selvedge-builder {}", env!("CARGO_PKG_VERSION"));
        return Err(ExitCode::SUCCESS);
    }
    directories.try_into().map_err(|given: Vec<PathBuf>| {
        lines::write(&format!(
            "usage: {usage} ({N} directories, not {}); a Fabric peer calls it, see externalBuilders in core.yaml",
            given.len()
        ));
        ExitCode::from(MISUSE)
    })
}
