//! Chaincode as a service: a process of the test's own, which a peer dials.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use testbed::dist::workspace_dir;
use testbed::process::{Server, ServerCommand, wait_until};
use testbed::{Port, Scratch, go_program};

/// It has nothing to do before it listens.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running server of `tests/chaincode/server`; dropping it ends it.
pub struct ChaincodeServer {
    /// First, so that it goes first.
    server: Server,
    scratch: Scratch,
    port: Port,
}

impl ChaincodeServer {
    /// Starts it on a port of its own for a package that a peer has installed; `files` are its keys
    /// and certificates, by the variables that name them.
    ///
    /// # Panics
    ///
    /// When it cannot be built, or does not listen.
    pub fn start(port: Port, package_id: &str, files: &[(&str, PathBuf)]) -> Self {
        let module = workspace_dir().join("tests/chaincode/server");
        let program = go_program::obtain(&module, &mut |line| eprintln!("{line}"))
            .expect("the chaincode server is built");
        let mut environment: BTreeMap<String, OsString> =
            files.iter().map(|(name, path)| ((*name).to_owned(), path.into())).collect();
        environment.insert("CHAINCODE_ID".into(), package_id.into());
        let address = format!("127.0.0.1:{}", port.number());
        environment.insert("CHAINCODE_SERVER_ADDRESS".into(), address.into());
        let scratch = Scratch::create().expect("a scratch directory");
        Self::run(port, scratch, program, Vec::new(), environment)
    }

    /// Starts that of Fabric's own suites (`integration/chaincode/server`), which reads from a file
    /// where to listen, and with which keys and certificates.
    ///
    /// # Panics
    ///
    /// When it does not listen.
    pub fn of_fabric(port: Port, package_id: &str, program: PathBuf, mut config: Value) -> Self {
        let scratch = Scratch::create().expect("a scratch directory");
        config["listen_address"] = format!("127.0.0.1:{}", port.number()).into();
        let path = scratch.dir().join("config.json");
        std::fs::write(path, config.to_string()).expect("its configuration is written");
        Self::run(port, scratch, program, vec![package_id.into()], BTreeMap::new())
    }

    fn run(
        port: Port,
        scratch: Scratch,
        program: PathBuf,
        arguments: Vec<OsString>,
        environment: BTreeMap<String, OsString>,
    ) -> Self {
        let command = ServerCommand {
            name: "chaincode server".to_owned(),
            program,
            arguments,
            environment,
            dir: scratch.dir().path().to_owned(),
            log: scratch.dir().join("server.log"),
            grace: Duration::from_secs(5),
        };
        let server = Server::start(scratch.dir(), command).expect("the chaincode server starts");
        let mut server = Self { server, scratch, port };
        server.await_socket();
        server
    }

    /// SIGKILL; waits until it has ended.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again as it was started first, and waits until it listens.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn restart(&mut self) {
        self.server.restart(self.scratch.dir()).expect("the chaincode server starts");
        self.await_socket();
    }

    fn await_socket(&mut self) {
        let address = ("127.0.0.1", self.port.number());
        let listens = wait_until(START_LIMIT, || {
            self.server.ended().is_some() || TcpStream::connect(address).is_ok()
        });
        self.server.running().unwrap_or_else(|error| panic!("{error}"));
        assert!(listens, "the chaincode server does not listen:\n{}", self.server.log().tail());
    }
}
