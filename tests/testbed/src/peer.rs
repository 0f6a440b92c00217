//! A peer of an organisation: its process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Deref;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::client::PeerClient;
use crate::log::Log;
use crate::process::{Server, ServerCommand, ServerError};
use crate::scratch::ScratchDir;

const START_LIMIT: Duration = Duration::from_mins(1);
/// The peer gives its external builders 5 s, then needs a moment to close its ledgers.
const STOP_GRACE: Duration = Duration::from_secs(12);

/// A running peer, which can be asked what [`PeerClient`] asks.
#[derive(Debug)]
pub struct Peer {
    facts: PeerFacts,
    log: Log,
    server: Mutex<Server>,
}

/// What a peer is started and spoken to with.
#[derive(Clone, Debug)]
pub(crate) struct PeerFacts {
    pub(crate) client: PeerClient,
    pub(crate) scratch: ScratchDir,
    /// For the peer process, and by `propagateEnvironment` for its builders.
    pub(crate) environment: BTreeMap<String, OsString>,
}

impl Deref for Peer {
    type Target = PeerClient;

    fn deref(&self) -> &PeerClient {
        &self.facts.client
    }
}

impl Peer {
    /// Starts the process and waits until it serves.
    pub(crate) fn start(facts: PeerFacts) -> Result<Self, ServerError> {
        let client = &facts.client;
        let mut environment = client.topology.server_environment(&client.home);
        environment.extend(facts.environment.clone());
        let name = client.organisation.name();
        let mut server = Server::start(
            &facts.scratch,
            ServerCommand {
                name: format!("peer {}", client.msp_id()),
                program: client.binaries.program("peer"),
                arguments: vec!["node".into(), "start".into()],
                environment,
                dir: client.home.clone(),
                log: client.home.join(format!("{name}.log")),
                grace: STOP_GRACE,
            },
        )?;
        server.await_line("Started peer with ID", START_LIMIT)?;
        let log = server.log().clone();
        let mut facts = facts;
        facts.client.log = Some(log.clone());
        Ok(Self { log, server: Mutex::new(server), facts })
    }

    /// Its log; lines of earlier runs stay in it when the peer restarts.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its process ID.
    pub fn pid(&self) -> u32 {
        self.server().pid()
    }

    /// How it ended, if it has: by itself, or stopped or killed.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.server().ended()
    }

    /// Ends it as an operator would, and starts it again on the same ledgers; waits until it
    /// serves. Also starts a peer that was stopped or killed.
    pub fn restart(&self) -> Result<(), ServerError> {
        let mut server = self.server();
        server.restart(&self.facts.scratch)?;
        server.await_line("Started peer with ID", START_LIMIT)?;
        Ok(())
    }

    /// SIGTERM; waits until it has ended.
    pub fn stop(&self) {
        self.server().stop();
    }

    /// SIGKILL to the peer and to what it left in its process group (its `run` processes), as
    /// when its container is killed.
    pub fn kill(&self) {
        self.server().kill();
    }

    pub(crate) fn keep(&self) {
        self.server().keep();
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
