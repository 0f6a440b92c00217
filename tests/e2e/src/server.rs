//! Chaincode as a service: a process of the test's own, which a peer dials.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

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
        let scratch = Scratch::create().expect("a scratch directory");
        let mut environment: BTreeMap<String, OsString> =
            files.iter().map(|(name, path)| ((*name).to_owned(), path.into())).collect();
        environment.insert("CHAINCODE_ID".into(), package_id.into());
        let address = format!("127.0.0.1:{}", port.number());
        environment.insert("CHAINCODE_SERVER_ADDRESS".into(), address.into());
        let command = ServerCommand {
            name: "chaincode server".to_owned(),
            program,
            arguments: Vec::new(),
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
