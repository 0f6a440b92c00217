//! checkov, a public scanner of Kubernetes' objects, as `tests/scanner` pins it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::binaries::Progress;
use crate::cache::{self, io_error};
use crate::debian::{DebianError, install_missing, run};
use crate::dist::workspace_dir;

/// The scanner.
#[derive(Clone, Debug)]
pub struct Scanner {
    python: PathBuf,
}

/// Something that a check objects to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Finding {
    /// The check, such as `CKV_K8S_8`.
    #[serde(rename = "check_id")]
    pub check: String,
    /// Which object: `KIND.NAMESPACE.NAME`.
    pub resource: String,
    /// The file that it is in, as `/NAME`.
    #[serde(rename = "file_path")]
    pub file: String,
    /// What the check is for.
    #[serde(rename = "check_name")]
    pub about: String,
}

/// What it found, of its own form as much as is needed.
#[derive(Deserialize)]
struct Report {
    results: Results,
    summary: Summary,
}

#[derive(Deserialize)]
struct Results {
    failed_checks: Vec<Finding>,
}

#[derive(Deserialize)]
struct Summary {
    passed: u64,
    parsing_errors: u64,
}

impl Scanner {
    /// From the cache, or fetched into it: half a minute, once.
    pub fn obtain(progress: &mut Progress<'_>) -> Result<Self, DebianError> {
        let pinned = workspace_dir().join("tests/scanner/requirements.txt");
        let content = fs::read(&pinned).map_err(|error| io_error("read", &pinned, error))?;
        let version = run(Command::new("python3").arg("--version"))?.stdout;
        let key = Sha256::new().chain_update(content).chain_update(version).finalize();
        let entry = cache::root()?.join(format!("scanner/checkov-{}", hex::encode(&key[..8])));
        let environment = cache::obtain(&entry, |partial| {
            progress("fetching checkov (pip; once, then cached)");
            if run(Command::new("python3").args(["-m", "ensurepip", "--version"])).is_err() {
                install_missing(&["python3-venv"], progress)?;
            }
            run(Command::new("python3").args(["-m", "venv"]).arg(partial))?;
            let mut pip = Command::new(partial.join(PYTHON));
            pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-input"]);
            run(pip.args(["--disable-pip-version-check", "--requirement"]).arg(&pinned))?;
            Ok::<_, DebianError>(())
        })?;
        Ok(Self { python: environment.join(PYTHON) })
    }

    /// Looks at every object in the files of a directory; what it objects to, sorted.
    ///
    /// # Panics
    ///
    /// When it cannot read them, or looked at nothing.
    pub fn scan(&self, directory: &Path) -> Result<Vec<Finding>, DebianError> {
        let mut checkov = Command::new(&self.python);
        checkov.args(["-m", "checkov.main", "--framework", "kubernetes", "--output", "json"]);
        // It asks nobody for anything, and findings are no failure of its own.
        checkov.args(["--quiet", "--skip-download", "--soft-fail", "--directory"]);
        let said = run(checkov.arg(directory))?.stdout;
        let report: Report = serde_json::from_slice(&said)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&said)));
        let Summary { passed, parsing_errors } = report.summary;
        assert!(passed > 0 && parsing_errors == 0, "{passed} passed, {parsing_errors} unread");
        let mut findings = report.results.failed_checks;
        findings.sort();
        Ok(findings)
    }
}

/// In an environment; it finds the rest by where it is itself.
const PYTHON: &str = "bin/python";
