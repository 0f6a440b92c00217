//! The directories that a peer makes for the executables, and the launcher's socket.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::executable::command;

/// A directory with all of them.
pub(crate) struct Sandbox(TempDir);

impl Sandbox {
    /// With a small source, its metadata, and the other directories empty.
    pub(crate) fn new() -> Self {
        let sandbox = Self(TempDir::new().unwrap());
        for directory in ["src/src/lib", "meta", "out", "rel", "runmeta"] {
            fs::create_dir_all(sandbox.path(directory)).unwrap();
        }
        sandbox.write("src/src/main.go", "package main\n");
        sandbox.write("src/src/lib/lib.go", "package lib\n");
        sandbox.write(
            "meta/metadata.json",
            r#"{"type":"golang","path":"example.org/basic","label":"basic_1.0","extra":7}"#,
        );
        sandbox
    }

    /// With a package that says where its chaincode is served, in these words.
    pub(crate) fn served(connection: &str) -> Self {
        let sandbox = Self(TempDir::new().unwrap());
        for directory in ["src", "meta", "out", "rel", "runmeta"] {
            fs::create_dir(sandbox.path(directory)).unwrap();
        }
        sandbox.write("src/connection.json", connection);
        sandbox.write("meta/metadata.json", r#"{"type":"ccaas","label":"asset_1.0"}"#);
        sandbox
    }

    /// With what a build left, and what the peer hands to `run`.
    pub(crate) fn built() -> Self {
        let sandbox = Self::new();
        let digest = "5".repeat(64);
        sandbox.write(
            "out/image.json",
            &format!(r#"{{"name":"selvedge/basic","digest":"sha256:{digest}"}}"#),
        );
        sandbox.write(
            "out/launch.json",
            r#"{"version":1,"type":"golang","path":"example.org/basic","label":"basic_1.0","command":{"entrypoint":["/chaincode"],"cmd":["--quiet"]}}"#,
        );
        sandbox.write("out/source.tar", &"source".repeat(50_000));
        sandbox.write(
            "runmeta/chaincode.json",
            r#"{"chaincode_id":"basic_1.0:ab12","peer_address":"peer.example.org:7052","client_cert":"CERT","client_key":"KEY","root_cert":"ROOT","mspid":"Org1MSP"}"#,
        );
        sandbox
    }

    /// A path in it.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Writes a file in it, with the directories on the way.
    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Reads a file in it.
    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.path(path)).unwrap()
    }

    /// Where the launcher listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path("launcher.sock")
    }

    /// `build`, as the peer calls it.
    pub(crate) fn build(&self) -> Command {
        self.command("build", &[&self.path("src"), &self.path("meta"), &self.path("out")])
    }

    /// `run`, as the peer calls it.
    pub(crate) fn run(&self) -> Command {
        self.command("run", &[&self.path("out"), &self.path("runmeta")])
    }

    fn command(&self, name: &str, directories: &[&Path]) -> Command {
        let mut command = command(name);
        command
            .args(directories)
            .env("SELVEDGE_LAUNCHER", format!("unix:{}", self.socket().display()));
        command
    }
}
