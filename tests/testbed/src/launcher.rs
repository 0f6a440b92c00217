//! Selvedge's launcher as a process of its own, on the local backend.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;

use crate::cache::{self, CacheError, io_error};
use crate::log::{LineMissing, Log};
use crate::operators_file::{OperatorsFile, TAKEN_UP};
use crate::ports::{Port, PortError};
use crate::process::{Server, ServerCommand, ServerError, wait_until};
use crate::scratch::{Scratch, ScratchError};
use crate::unprivileged::unprivileged;

const START_LIMIT: Duration = Duration::from_secs(20);

/// The launcher looks at its file every second.
const TAKE_UP_LIMIT: Duration = Duration::from_secs(20);

/// The operator's file in the launcher's directory.
const FILE: &str = "selvedge.yaml";

/// What launcher to run.
#[derive(Clone, Debug)]
pub struct LauncherSpec {
    /// The executable, `dist/bin/selvedge-launcher`.
    pub program: PathBuf,
    /// The operator's file, to which the addresses of its health and its page are added.
    pub file: OperatorsFile,
    /// Added to this process's environment.
    pub environment: BTreeMap<String, OsString>,
    /// Taken from it.
    pub without: Vec<String>,
    /// Whether it serves its page.
    pub page: bool,
}

impl LauncherSpec {
    /// The launcher `program`, with nothing special: what compilers and package managers keep is where
    /// all launchers of the testbed have it, since none would be done in time that begins with nothing.
    pub fn new(program: PathBuf) -> Self {
        let tools = cache::root().map(|cache| cache.join("tools")).unwrap_or_default();
        let environment = [("SELVEDGE_TOOLS_DIR".to_owned(), tools.into())].into();
        let (file, without) = (OperatorsFile::new("local"), Vec::new());
        Self { program, file, environment, without, page: false }
    }
}

/// Why a launcher did not come up.
#[derive(Debug, Error)]
pub enum LauncherError {
    /// No scratch directory.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// No port for its health, or its page.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The operator's file could not be written.
    #[error(transparent)]
    File(#[from] CacheError),
    /// The process failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// It did not take up what the operator's file says.
    #[error(transparent)]
    NotTakenUp(#[from] LineMissing),
    /// It runs, but nothing listens on its socket.
    #[error("the launcher does not listen on {socket}; its last lines:\n{tail}", socket = socket.display())]
    NotListening {
        /// The socket.
        socket: PathBuf,
        /// What it said last.
        tail: String,
    },
}

/// A running launcher. Dropping it ends it, what it started, and removes its directory.
#[derive(Debug)]
pub struct Launcher {
    /// First, so that it goes first: the janitor also finds what left the process group.
    scratch: Scratch,
    socket: PathBuf,
    log: Log,
    server: Mutex<Server>,
    file: Mutex<OperatorsFile>,
    health: Port,
    page: Option<Port>,
}

impl Launcher {
    /// Starts it and waits until its socket accepts connections.
    pub fn start(spec: &LauncherSpec) -> Result<Self, LauncherError> {
        let scratch = Scratch::create()?;
        let socket = scratch.dir().join("launcher.sock");
        let mut listen = OsString::from("unix:");
        listen.push(&socket);
        let health = Port::lease()?;
        let mut file = spec.file.clone();
        file.say("health.address", json!(format!("127.0.0.1:{}", health.number())));
        let page = spec.page.then(Port::lease).transpose()?;
        if let Some(page) = &page {
            file.say("page.address", json!(format!("127.0.0.1:{}", page.number())));
        }
        let path = scratch.dir().join(FILE);
        fs::write(&path, file.to_string()).map_err(|e| io_error("write", &path, e))?;
        let arguments: Vec<OsString> = vec![
            "--listen".into(),
            listen,
            "--data-dir".into(),
            scratch.dir().join("data").into(),
            "--config".into(),
            path.into(),
        ];
        let (program, arguments) = unprivileged(&spec.program, arguments);
        let (program, arguments) = without(&spec.without, program, arguments);
        let server = Server::start(
            scratch.dir(),
            ServerCommand {
                name: "launcher".to_owned(),
                program,
                arguments,
                environment: spec.environment.clone(),
                dir: scratch.dir().path().to_owned(),
                log: scratch.dir().join("launcher.log"),
                grace: Duration::from_secs(10),
            },
        )?;
        let launcher = Self {
            log: server.log().clone(),
            server: Mutex::new(server),
            scratch,
            socket,
            file: Mutex::new(file),
            health,
            page,
        };
        launcher.await_socket()?;
        Ok(launcher)
    }

    fn await_socket(&self) -> Result<(), LauncherError> {
        let mut server = self.server();
        let mut ended = false;
        let accepts = wait_until(START_LIMIT, || {
            ended = server.ended().is_some();
            ended || UnixStream::connect(&self.socket).is_ok()
        });
        if accepts && !ended {
            return Ok(());
        }
        server.running()?;
        Err(LauncherError::NotListening { socket: self.socket.clone(), tail: self.log.tail() })
    }

    /// Its address as builders take it in `SELVEDGE_LAUNCHER`: `unix:PATH`.
    pub fn address(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// The directory with its socket, data and log.
    pub fn dir(&self) -> &Path {
        self.scratch.dir().path()
    }

    /// Its log; lines of earlier runs stay in it when it restarts.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Says another value for a key of the operator's file ([`OperatorsFile::say`]), and waits until
    /// it is in force.
    pub fn say(&self, path: &str, value: Value) -> Result<(), LauncherError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.say(path, value);
        let text = file.to_string();
        if fs::read_to_string(self.scratch.dir().join(FILE)).is_ok_and(|there| there == text) {
            return Ok(());
        }
        let mark = self.log.mark();
        self.write_file(&text)?;
        self.log.wait_for_line(mark, TAKEN_UP, TAKE_UP_LIMIT)?;
        Ok(())
    }

    /// Writes any text in place of the operator's file, as an editor does. The next
    /// [`Launcher::say`] writes all that was said.
    pub fn write_file(&self, text: &str) -> Result<(), LauncherError> {
        let [path, new] = [FILE, "selvedge.yaml.new"].map(|name| self.scratch.dir().join(name));
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|e| io_error("write", &path, e))?;
        Ok(())
    }

    /// What it answers at `/readyz`, with the status line and headers.
    pub fn readyz(&self) -> io::Result<String> {
        self.told_at("readyz")
    }

    /// What it answers at `/metrics`, likewise.
    pub fn metrics(&self) -> io::Result<String> {
        self.told_at("metrics")
    }

    /// Where browsers find its page, if it has one: `http://127.0.0.1:PORT/`.
    pub fn page(&self) -> Option<String> {
        self.page.as_ref().map(|page| format!("http://127.0.0.1:{}/", page.number()))
    }

    fn told_at(&self, path: &str) -> io::Result<String> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.health.number()))?;
        connection.set_read_timeout(Some(START_LIMIT))?;
        write!(connection, "GET /{path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Its process ID.
    pub fn pid(&self) -> u32 {
        self.server().pid()
    }

    /// Ends it as an operator would and starts it again on the same data; waits until its socket
    /// accepts connections. Also starts a launcher that was stopped or killed.
    pub fn restart(&self) -> Result<(), LauncherError> {
        self.server().restart(self.scratch.dir())?;
        self.await_socket()
    }

    /// SIGTERM; waits until it has ended.
    pub fn stop(&self) {
        self.server().stop();
    }

    /// SIGKILL to it and its process group; waits until it has ended. Chaincode processes in
    /// groups of their own stay, as they would on a host.
    pub fn kill(&self) {
        self.server().kill();
    }

    /// Leaves it up when this process ends. Returns the pid to send SIGTERM to, to end it and
    /// remove its directory.
    pub fn keep(mut self) -> u32 {
        self.server().keep();
        self.scratch.keep()
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        if thread::panicking() {
            let path = self.log.path().display();
            eprintln!("-- {path}:\n{}", self.log.tail());
        }
    }
}

/// A program that is not told of these variables.
fn without(
    variables: &[String],
    program: PathBuf,
    arguments: Vec<OsString>,
) -> (PathBuf, Vec<OsString>) {
    let unset = variables.iter().map(|variable| format!("--unset={variable}").into());
    let all = unset.chain(["--".into(), program.into()]).chain(arguments).collect();
    ("env".into(), all)
}
