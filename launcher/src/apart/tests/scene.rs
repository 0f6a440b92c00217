//! A launcher apart, and how it is called.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use selvedge_client::{Address, Caller, Connection, LauncherError};
use selvedge_proto::launcher::launcher_client::LauncherClient;
use selvedge_proto::launcher::launcher_server::LauncherServer;
use selvedge_proto::launcher::{StatusRequest, StatusResponse};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::super::door::Door;
use super::super::issue::Issue;
use crate::api::{LauncherApi, Way};
use crate::configuration::{self, Configuration};
use crate::opening::{Opening, begin};
use crate::running::Running;
use crate::seen::Seen;
use crate::settings::{Command, Settings};

/// A launcher that has not looked around: who is let in waits, and is told of.
pub(super) struct Scene {
    pub(super) directory: TempDir,
    pub(super) configuration: Configuration,
    pub(super) port: u16,
    pub(super) api: LauncherApi,
    _opening: Opening,
    _served: Vec<AbortOnDropHandle<()>>,
}

/// What the operator's file says.
pub(super) fn file(peers: &str) -> String {
    format!(
        "apiVersion: selvedge/v1\napart:\n  address: 127.0.0.1:0\n  names: [127.0.0.1]\n  \
         mspId: Org1MSP\n  peers: {peers}\n"
    )
}

impl Scene {
    /// One for peer0 and peer1.
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("selvedge.yaml");
        fs::write(&path, file("[peer0, peer1]")).unwrap();
        let (configuration, watcher) = configuration::open(Some(&path)).unwrap();
        let apart = configuration.now();
        let authority = directory.path().join("data/authority");
        let door = Door::open(apart.apart().unwrap(), &authority, configuration.clone()).await;
        let door = door.unwrap();
        let port = door.address().port();
        let (opening, entrance) = begin();
        let running = Running::default();
        let api = LauncherApi::new(entrance, running, configuration.clone(), Seen::default());
        let service = LauncherServer::new(api.by(Way::Apart));
        let served = async move {
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve_with_incoming(door.arrivals(CancellationToken::new())).await.unwrap();
        };
        let served = [tokio::spawn(served), tokio::spawn(watcher.unwrap().watch())];
        let served = served.into_iter().map(AbortOnDropHandle::new).collect();
        Self { directory, configuration, port, api, _opening: opening, _served: served }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Has credentials issued, as an operator does; where they are.
    pub(super) fn issue(&self, peer: &str) -> PathBuf {
        let to = self.path(peer);
        issue(&self.path("data"), peer, &to);
        to
    }

    pub(super) fn address(&self, credentials: &Path) -> Address {
        address(&format!("tls:127.0.0.1:{}", self.port), credentials)
    }

    /// Calls as the peer with these credentials.
    pub(super) async fn client(&self, credentials: &Path) -> LauncherClient<Connection> {
        self.address(credentials).connect().await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Why a peer with these credentials is not let in.
    pub(super) async fn refusal(&self, credentials: &Path) -> LauncherError {
        self.address(credentials).connect().await.map(drop).unwrap_err()
    }
}

pub(super) fn address(text: &str, credentials: &Path) -> Address {
    Address::parse(text, Caller::Builder).unwrap().showing(credentials.into())
}

pub(super) fn issue(data: &Path, peer: &str, to: &Path) {
    issuing(&[peer, "--to", to.to_str().unwrap(), "--data-dir", data.to_str().unwrap()])
        .run()
        .unwrap();
}

/// What is typed to issue.
pub(super) fn issuing(arguments: &[&str]) -> Issue {
    let typed = ["selvedge-launcher", "issue"].iter().chain(arguments);
    match Settings::try_parse_from(typed).unwrap().command {
        Some(Command::Issue(issue)) => issue,
        other => panic!("{other:?}"),
    }
}

/// What the peer is told of.
pub(super) async fn status(client: &mut LauncherClient<Connection>) -> StatusResponse {
    client.status(StatusRequest {}).await.unwrap().into_inner()
}
