//! Sources and packages in a directory of a test's own, and the executables that judge them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crafted::Crafted;
use e2e::chaincode_dir;
use tempfile::TempDir;
use testbed::dist_dir;

/// The import path of every source here.
pub(super) const PATH: &str = "selvedge.example/case";

/// A program that needs nothing but Go's runtime.
pub(super) const PROGRAM: &str = "package main\n\nfunc main() {}\n";

/// A chaincode that answers every call with what a function `answer` says.
pub(super) const ANSWERS: &str = r#"package main

import (
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

type chaincode struct{}

func (chaincode) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

func (chaincode) Invoke(shim.ChaincodeStubInterface) *peer.Response {
	return shim.Success([]byte(answer()))
}

func main() {
	if err := shim.Start(chaincode{}); err != nil {
		panic(err)
	}
}
"#;

/// The directory.
pub(super) struct Workshop(TempDir);

/// What an executable said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Workshop {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes the files of a source: a module, with the shim among its dependencies.
    pub(super) fn source(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = self.path(name);
        let own = [("go.mod", go_mod()), ("go.sum", ledger("go.sum"))];
        let own = own.iter().map(|(path, content)| (*path, content.as_str()));
        for (path, content) in own.chain(files.iter().copied()) {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    /// Writes a package that was made by other means than `selvedge`.
    pub(super) fn crafted(&self, name: &str, package: Vec<u8>) -> PathBuf {
        let path = self.path(&format!("{name}.tar.gz"));
        fs::write(&path, package).unwrap();
        path
    }

    /// Runs `selvedge` here.
    pub(super) fn selvedge(&self, arguments: &[&str]) -> Said {
        let mut selvedge = Command::new(dist_dir().join("bin/selvedge"));
        said(selvedge.args(arguments).current_dir(self.0.path()))
    }

    /// Packages a source with `selvedge package`; what it said of it.
    pub(super) fn package(&self, source: &str, label: &str) -> (PathBuf, String) {
        let file = format!("{label}.tar.gz");
        let said = self.selvedge(&["package", source, "-l", label, "-o", &file]);
        assert_eq!(said.code, Some(0), "{source}: {said:?}");
        (self.path(&file), said.stdout)
    }

    /// Inspects a package; what is wrong with it, or where nothing is, all that was said.
    pub(super) fn inspect(&self, package: &Path) -> Said {
        self.selvedge(&["inspect", "--compile", &package.to_string_lossy()])
    }

    /// The exit code of `detect` for a `metadata.json`.
    pub(super) fn detect(&self, metadata: &str) -> Option<i32> {
        let [source, directory] = ["detect/src", "detect/meta"].map(|name| self.path(name));
        fs::create_dir_all(&source).unwrap();
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("metadata.json"), metadata).unwrap();
        let mut detect = Command::new(dist_dir().join("bin/detect"));
        said(detect.arg(source).arg(directory)).code
    }
}

impl Said {
    /// Ended with success, and said all of this.
    pub(super) fn is_fine(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(0), "{self:?}");
        let missing = parts.iter().find(|part| !self.stdout.contains(**part));
        assert!(missing.is_none(), "{missing:?} is missing: {self:?}");
    }

    /// Ended with failure, and one line said all of this.
    pub(super) fn refuses(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:?}");
        let lines = self.stdout.lines().chain(self.stderr.lines());
        let has_all = |line: &str| parts.iter().all(|part| line.contains(part));
        assert!(lines.into_iter().any(has_all), "no line has all of {parts:?}: {self:?}");
    }
}

pub(super) fn said(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// The metadata of a package with this label.
pub(super) fn metadata(label: &str) -> String {
    format!(r#"{{"path":"{PATH}","type":"golang","label":"{label}"}}"#)
}

/// The files of a program in a package's code, their names begun with `prefix`.
pub(super) fn program(prefix: &str) -> Vec<Crafted> {
    let go_mod = format!("module {PATH}\n\ngo 1.24.0\n");
    [("go.mod", go_mod.as_str()), ("main.go", PROGRAM)]
        .map(|(name, content)| Crafted::file(&format!("{prefix}{name}"), content))
        .into()
}

fn go_mod() -> String {
    ledger("go.mod").replace("selvedge.example/ledger", PATH)
}

/// A file of the ledger contract, which has the shim's versions.
fn ledger(name: &str) -> String {
    fs::read_to_string(chaincode_dir("ledger").join(name)).unwrap()
}
