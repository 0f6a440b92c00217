//! Go's own readers, asked over a pipe.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A process that says what Go reads.
pub(super) struct Oracle {
    child: Child,
    cases: ChildStdin,
    verdicts: BufReader<ChildStdout>,
}

impl Oracle {
    /// # Panics
    ///
    /// Where there is no Go.
    pub(super) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/against_go/oracle.go");
        let program = directory.path().join("oracle");
        let mut build = Command::new("go");
        build.arg("build").arg("-o").arg(&program).arg(source).current_dir(directory.path());
        let output = build.output().expect("Go, which the project's tests need");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let piped = Stdio::piped;
        let mut child = Command::new(program).stdin(piped()).stdout(piped()).spawn().unwrap();
        let cases = child.stdin.take().unwrap();
        let verdicts = BufReader::new(child.stdout.take().unwrap());
        Self { child, cases, verdicts }
    }

    /// What Go makes of this; `kind` says with which reader.
    pub(super) fn ask(&mut self, kind: u8, content: &[u8]) -> String {
        let length = u32::try_from(content.len()).unwrap();
        self.cases.write_all(&[&[kind], &length.to_le_bytes()[..], content].concat()).unwrap();
        let mut verdict = String::new();
        self.verdicts.read_line(&mut verdict).unwrap();
        verdict.strip_suffix('\n').expect("Go's reader has ended").to_owned()
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
