//! How a build learns that the container beside it has fetched what it needs: by a file, which that one
//! alone can write. Were they to run one after the other, it would be for the kubelet to see that the
//! one has ended, which it looks for once a second.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::error::BuildJobError;

/// A pause before it is looked again.
const PAUSE: Duration = Duration::from_millis(10);

/// What is said.
const WELL: &str = "fetched";
const ILL: &str = "failed";

/// Says whether it went well.
pub(super) fn say(did_well: bool, file: &Path) -> Result<(), BuildJobError> {
    let unusable = |source| BuildJobError::File { path: file.to_owned(), source };
    // It must not be read half written.
    let whole = file.with_extension("new");
    fs::write(&whole, if did_well { WELL } else { ILL }).map_err(unusable)?;
    fs::rename(whole, file).map_err(unusable)
}

/// Waits until it is said. The Job's own limit bounds the time.
pub(super) fn wait(file: &Path) -> Result<(), BuildJobError> {
    loop {
        match fs::read_to_string(file).ok().as_deref() {
            Some(WELL) => return Ok(()),
            Some(_) => return Err(BuildJobError::NotFetched),
            None => sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("done");
        let waiting = std::thread::spawn({
            let file = file.clone();
            move || wait(&file)
        });
        say(true, &file).unwrap();
        waiting.join().unwrap().unwrap();
        say(false, &file).unwrap();
        assert!(matches!(wait(&file), Err(BuildJobError::NotFetched)));
    }
}
