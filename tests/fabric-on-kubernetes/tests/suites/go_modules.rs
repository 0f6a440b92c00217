//! A Go module that is nobody else's: as a proxy has it, as a Git repository has it, and a program that
//! needs it.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fabric_on_kubernetes::Fabric;
use selvedge_buildpack::digest::Sha256;
use serde_json::json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::guarded::Files;
use crate::shared::{new_program, package};

/// The module's one version.
const VERSION: &str = "v1.0.0";

/// Its one package.
const CODE: &str = "package private\n\n// Name is what it is called.\nconst Name = \"private\"\n";

/// A module.
pub(crate) struct Module {
    name: String,
}

impl Module {
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn go_mod(&self) -> String {
        format!("module {}\n\ngo 1.24\n", self.name)
    }

    /// Its files.
    fn files(&self) -> [(&'static str, String); 2] {
        [("go.mod", self.go_mod()), ("private.go", CODE.to_owned())]
    }

    /// The module below a path, as proxies have modules (<https://go.dev/ref/mod#goproxy-protocol>).
    pub(crate) fn lay_out_for_proxies(&self, below: &str, laid_out: &mut Files) {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in self.files() {
            let name = format!("{}@{VERSION}/{name}", self.name);
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        let zip = zip.finish().unwrap().into_inner();
        let info = json!({ "Version": VERSION, "Time": "2026-01-01T00:00:00Z" });
        for (kind, content) in [
            ("mod", self.go_mod().into_bytes()),
            ("zip", zip),
            ("info", info.to_string().into_bytes()),
        ] {
            laid_out.insert(format!("{below}/{}/@v/{VERSION}.{kind}", self.name), content);
        }
    }

    /// The module's repository below a path, as a server of plain files has it (gitprotocol-http(5),
    /// "dumb" servers).
    pub(crate) fn lay_out_for_git(&self, below: &str, laid_out: &mut Files) {
        let place = tempfile::tempdir().unwrap();
        for (name, text) in self.files() {
            fs::write(place.path().join(name), text).unwrap();
        }
        for arguments in [
            &["init", "--quiet"][..],
            &["add", "."],
            &["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "begin"],
            &["tag", VERSION],
            &["update-server-info"],
        ] {
            let status = Command::new("git").args(arguments).current_dir(place.path()).status();
            assert!(status.unwrap().success(), "git {arguments:?}");
        }
        lay_out(&place.path().join(".git"), below, laid_out);
    }

    /// The lines of a `go.sum` that are about it.
    fn sums(&self) -> String {
        let Self { name, .. } = self;
        let files = self.files().map(|(file, text)| (format!("{name}@{VERSION}/{file}"), text));
        let of_mod = hash(&[("go.mod".to_owned(), self.go_mod())]);
        format!("{name} {VERSION} {}\n{name} {VERSION}/go.mod {of_mod}\n", hash(&files))
    }
}

/// All files below a directory.
fn lay_out(directory: &Path, below: &str, laid_out: &mut Files) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{below}/{}", path.file_name().unwrap().display());
        if path.is_dir() {
            lay_out(&path, &name, laid_out);
        } else {
            laid_out.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// Go's hash of files (`golang.org/x/mod/sumdb/dirhash`, `Hash1`).
fn hash(files: &[(String, String)]) -> String {
    let line = |(name, text): &(String, String)| {
        format!("{}  {name}\n", Sha256::of(text.as_bytes()).hex())
    };
    let lines: String = files.iter().map(line).collect();
    let digits = Sha256::of(lines.as_bytes()).hex();
    let bytes: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect();
    format!("h1:{}", BASE64_STANDARD.encode(bytes))
}

/// The package of a program that needs the module.
pub(crate) fn program(fabric: &Fabric, label: &str, module: &Module) -> PathBuf {
    let name = &module.name;
    let source = new_program(fabric, label);
    let go_mod = fs::read_to_string(source.join("go.mod")).unwrap();
    fs::write(source.join("go.mod"), format!("{go_mod}\nrequire {name} {VERSION}\n")).unwrap();
    fs::write(source.join("go.sum"), module.sums()).unwrap();
    let uses =
        format!("package main\n\nimport \"{name}\"\n\nfunc init() {{ println(private.Name) }}\n");
    fs::write(source.join("uses.go"), uses).unwrap();
    package(fabric, &source, &format!("{label}_1.0"))
}
