//! kubectl, as a person uses it.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use thiserror::Error;

/// kubectl with one cluster's kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    pub(crate) program: PathBuf,
    pub(crate) kubeconfig: PathBuf,
}

/// A kubectl that did not do what it should.
#[derive(Debug, Error)]
pub enum KubectlError {
    /// It did not run.
    #[error("cannot run {program}", program = program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It ended with an error.
    #[error("`kubectl {arguments}` failed: {stderr}")]
    Failed {
        /// What it was asked.
        arguments: String,
        /// What it said.
        stderr: String,
        /// What it printed before that.
        stdout: String,
    },
}

impl Kubectl {
    /// Runs kubectl to its end. What it printed, when it went well.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<String, KubectlError> {
        self.feed(arguments, "")
    }

    /// `kubectl apply` of one object, or of a `List`.
    pub fn apply(&self, namespace: &str, object: &Value) -> Result<(), KubectlError> {
        let arguments = ["apply", "--namespace", namespace, "-f", "-"];
        self.feed(&arguments, &object.to_string()).map(drop)
    }

    /// What a person would ask first of a namespace: pods, events, every container's last lines.
    pub(crate) fn report(&self, namespace: &str) -> String {
        let ask = |arguments: &[&str]| {
            let arguments = [&["--namespace", namespace], arguments].concat();
            self.run(&arguments).unwrap_or_else(|error| format!("{error}\n"))
        };
        let pods = ask(&["get", "pods", "-o", "wide"]);
        let events = ask(&["get", "events", "--sort-by=.lastTimestamp"]);
        let names = ask(&["get", "pods", "-o", "name"]);
        let mut report = format!("-- pods of {namespace}:\n{pods}-- events:\n{events}");
        for pod in names.lines() {
            let log = ask(&["logs", pod, "--all-containers", "--prefix", "--tail=40"]);
            report.extend(["-- log of ", pod, ":\n", &log]);
        }
        report
    }

    fn feed<A: AsRef<OsStr>>(&self, arguments: &[A], input: &str) -> Result<String, KubectlError> {
        let failed_to_start =
            |source| KubectlError::Start { program: self.program.clone(), source };
        let mut child = Command::new(&self.program)
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed_to_start)?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that ended early says why itself.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().map_err(failed_to_start)?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(stdout);
        }
        let words: Vec<_> = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        Err(KubectlError::Failed {
            arguments: words.join(" "),
            stderr: String::from_utf8_lossy(&output.stderr).trim_end().to_owned(),
            stdout,
        })
    }
}
