//! A server's log file: read it, wait for a line, show what matters of it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

const POLL: Duration = Duration::from_millis(10);

/// A log file that a server appends to.
#[derive(Clone, Debug)]
pub struct Log {
    path: PathBuf,
}

/// A place in a log: what was there when [`Log::mark`] was called lies before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(u64);

/// A line that did not come.
#[derive(Debug, Error)]
#[error("no line with {wanted:?} in {path} within {waited:?}; its last lines:\n{tail}", path = path.display())]
pub struct LineMissing {
    wanted: String,
    path: PathBuf,
    waited: Duration,
    tail: String,
}

impl Log {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.since(Mark::default())
    }

    /// Its end, as it is now.
    pub fn mark(&self) -> Mark {
        Mark(self.path.metadata().map_or(0, |metadata| metadata.len()))
    }

    /// What was written after `mark`.
    pub fn since(&self, mark: Mark) -> String {
        let mut bytes = Vec::new();
        if let Ok(mut file) = File::open(&self.path)
            && file.seek(SeekFrom::Start(mark.0)).is_ok()
        {
            let _ = file.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The first whole line after `mark` that contains `wanted`, waited for up to `limit`.
    pub fn wait_for_line(
        &self,
        mark: Mark,
        wanted: &str,
        limit: Duration,
    ) -> Result<String, LineMissing> {
        self.wait_for(mark, wanted, limit, |line| line.contains(wanted))
    }

    /// As [`Log::wait_for_line`], for any condition; `wanted` says it in words.
    pub fn wait_for(
        &self,
        mark: Mark,
        wanted: &str,
        limit: Duration,
        matches: impl Fn(&str) -> bool,
    ) -> Result<String, LineMissing> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(line) = first_whole_line(&self.since(mark), &matches) {
                return Ok(line);
            }
            if Instant::now() >= deadline {
                return Err(LineMissing {
                    wanted: wanted.to_owned(),
                    path: self.path.clone(),
                    waited: limit,
                    tail: self.tail(),
                });
            }
            thread::sleep(POLL);
        }
    }

    /// The lines that a person would look for first: the last warnings and errors, and what
    /// external builders said. None when there are none.
    pub fn telling_lines(&self) -> Option<String> {
        let text = self.text();
        let telling: Vec<&str> = text.lines().filter(|line| is_telling(line)).collect();
        (!telling.is_empty()).then(|| last(&telling))
    }

    /// The telling lines, or simply the last ones where there are none.
    pub fn tail(&self) -> String {
        self.telling_lines().unwrap_or_else(|| {
            let text = self.text();
            last(&text.lines().collect::<Vec<_>>())
        })
    }
}

fn first_whole_line(text: &str, matches: impl Fn(&str) -> bool) -> Option<String> {
    text.split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
        .find(|line| matches(line))
        .map(str::to_owned)
}

fn is_telling(line: &str) -> bool {
    const TELLING: [&str; 7] =
        [" WARN ", " ERRO ", " PANI ", " FATA ", " ERROR ", "[chaincode.externalbuilder", "panic"];
    // A client that has its answer and goes: every call of the CLI leaves some.
    const NOISE: &str = "context canceled";
    !line.contains(NOISE) && TELLING.iter().any(|word| line.contains(word))
}

fn last(lines: &[&str]) -> String {
    const SHOWN: usize = 15;
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_mark_hides_what_came_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::new(dir.path().join("log"));
        fs::write(log.path(), "old started\n").unwrap();
        let mark = log.mark();
        assert!(
            log.wait_for_line(mark, "started", Duration::ZERO).is_err(),
            "the line before the mark counts"
        );
        fs::write(log.path(), "old started\nnew started\n").unwrap();
        assert_eq!(log.since(mark), "new started\n");
        let line = log.wait_for_line(mark, "started", Duration::ZERO).unwrap();
        assert_eq!(line, "new started");
    }

    #[test]
    fn half_a_line_is_not_taken_for_one() {
        assert_eq!(first_whole_line("sta", |line| line.contains("sta")), None);
    }

    #[test]
    fn a_missing_line_is_named_with_the_file_and_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::new(dir.path().join("peer.log"));
        fs::write(log.path(), "2026 INFO [x] fine\n2026 ERRO [x] no disk\n").unwrap();
        let error =
            log.wait_for_line(Mark::default(), "started", Duration::ZERO).unwrap_err().to_string();
        for part in ["\"started\"", "peer.log", "no disk"] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
        assert!(!error.contains("fine"), "{error}");
    }
}
