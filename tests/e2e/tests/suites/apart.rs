//! One launcher apart: it serves two peers of one organisation over TLS, and refuses a third.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use e2e::{chaincode_dir, package};
use serde_json::{Value, json};
use testbed::process::wait_until;
use testbed::{
    Binaries, Definition, ExternalBuilder, Launcher, LauncherSpec, Network, NetworkSpec, Peer,
    PeerSpec, Port, Release, Scratch, dist_dir,
};

use crate::link::SOON;

const NAME: &str = "shared";

const MSP_ID: &str = "Org1MSP";

/// A launcher that is nobody's neighbour.
struct Apart {
    launcher: Launcher,
    port: Port,
    /// Where peers' credentials are.
    credentials: Scratch,
}

impl Apart {
    /// For peer0 and peer1.
    fn start() -> Self {
        let port = Port::lease().unwrap();
        let mut spec = LauncherSpec::new(dist_dir().join("bin/selvedge-launcher"));
        let apart = json!({
            "address": format!("127.0.0.1:{}", port.number()),
            "names": ["127.0.0.1"],
            "mspId": MSP_ID,
            "peers": ["peer0", "peer1"],
        });
        spec.file.say("apart", apart);
        let launcher = Launcher::start(&spec).unwrap();
        Self { launcher, port, credentials: Scratch::create().unwrap() }
    }

    /// Has credentials issued, by the one command; where they are.
    fn issue(&self, peer: &str) -> PathBuf {
        let directory = self.credentials.dir().join(peer);
        let issued = Command::new(dist_dir().join("bin/selvedge-launcher"))
            .args(["issue", peer, "--to"])
            .arg(&directory)
            // As it is in the launcher's container, whose whole environment it has.
            .env("SELVEDGE_DATA_DIR", self.launcher.dir().join("data"))
            .env("SELVEDGE_LAUNCHER", "unix:/run/selvedge/launcher.sock")
            .env("SELVEDGE_CONFIG", self.launcher.dir().join("selvedge.yaml"))
            .output()
            .unwrap();
        assert!(issued.status.success(), "{issued:?}");
        directory
    }

    fn address(&self) -> String {
        format!("tls:127.0.0.1:{}", self.port.number())
    }

    /// A peer that is shown the way to it, with credentials of this name.
    fn peer(&self, name: &str) -> PeerSpec {
        let mut builder = ExternalBuilder::selvedge(&dist_dir());
        builder.propagate_environment.push("SELVEDGE_CREDENTIALS".into());
        let mut peer = PeerSpec::new(MSP_ID, builder);
        peer.environment.insert("SELVEDGE_LAUNCHER".into(), self.address().into());
        peer.environment.insert("SELVEDGE_CREDENTIALS".into(), self.issue(name).into());
        peer
    }

    /// What `selvedge` says with a peer's credentials.
    fn asked(&self, credentials: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(dist_dir().join("bin/selvedge"));
        command.args(arguments).env("SELVEDGE_LAUNCHER", self.address());
        command.env("SELVEDGE_CREDENTIALS", credentials).output().unwrap()
    }

    /// Of which peers' chaincode a caller with these credentials is told, once one is ready.
    fn told(&self, credentials: &Path) -> Value {
        let mut told = Value::Null;
        let is_ready = wait_until(SOON, || {
            let output = self.asked(credentials, &["status", "--json"]);
            assert!(output.status.success(), "{output:?}");
            told = serde_json::from_slice(&output.stdout).unwrap();
            told["chaincodes"][0]["state"] == "ready"
        });
        assert!(is_ready, "{told:#}");
        told
    }
}

/// What a peer's chaincode answers: where its proxy is, which no other run has.
fn query(peer: &Peer) -> String {
    let call = r#"{"Args":["Env","CORE_PEER_ADDRESS"]}"#;
    peer.query(NAME, call).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn it_serves_two_peers_of_one_organisation_and_refuses_a_third() {
    let apart = Apart::start();
    let names = ["peer0", "peer1", "peer2"];
    let binaries = Binaries::obtain(Release::V3_1_1, &mut |line| eprintln!("{line}")).unwrap();
    let spec = NetworkSpec::new(names.map(|name| apart.peer(name)).into());
    let network = Network::start(&binaries, &spec).unwrap();
    let [one, other, third] = network.peers() else { panic!("three were raised") };
    let file = network.dir().join("shared.tar.gz");
    package(&chaincode_dir("ledger"), "shared_1.0", &file);

    // The client of a peer learns no more than that its builder failed; its log has the reason.
    let refused = third.install(&file).unwrap_err().to_string();
    assert!(refused.contains("exit status 1"), "{refused}");
    let reason = "the launcher is not for peer2, as this peer's certificate has it: add it to \
                  apart.peers in the launcher's file";
    assert!(third.log().text().contains(reason), "{}", third.log().tail());

    let package_id = one.install(&file).unwrap();
    assert_eq!(other.install(&file).unwrap(), package_id);
    let definition = Definition {
        collections_config: Some(chaincode_dir("ledger").join("collections.json")),
        ..Definition::new(NAME)
    };
    one.approve(&package_id, &definition).unwrap();
    one.commit(&definition).unwrap();
    let (mine, its) = (query(one), query(other));
    assert_ne!(mine, its, "the chaincode of one peer answers both");

    // Each is told of its own, and of nothing else.
    let credentials = |name: &str| apart.credentials.dir().join(name);
    for name in ["peer0", "peer1"] {
        let told = apart.told(&credentials(name));
        assert_eq!(told["launcher"]["peer"], name);
        let [chaincode] = &told["chaincodes"].as_array().unwrap()[..] else { panic!("{told:#}") };
        assert_eq!(
            (&chaincode["peer"], &chaincode["package_id"]),
            (&name.into(), &json!(package_id))
        );
        let builds = apart.asked(&credentials(name), &["builds", "--json"]);
        let builds: Value = serde_json::from_slice(&builds.stdout).unwrap();
        let called: Vec<_> = builds.as_array().unwrap().iter().map(|it| &it["peer"]).collect();
        assert_eq!(called, [name]);
    }
    let outsider = apart.asked(&credentials("peer2"), &["status"]);
    assert!(!outsider.status.success());
    assert!(String::from_utf8_lossy(&outsider.stderr).contains("not for peer2"), "{outsider:?}");

    // What becomes of the one is nothing to the other.
    other.stop();
    assert_eq!(query(one), mine);
    other.restart().unwrap();
    query(other);
    assert_eq!(query(one), mine);

    // Renewed and let in, the third is served from its next call on, without a restart of anything.
    apart.issue("peer2");
    apart.launcher.say("apart.peers", json!(names)).unwrap();
    assert_eq!(third.install(&file).unwrap(), package_id);
    query(third);

    // Another launcher in its place has the same authority, and whoever was let in still is.
    apart.launcher.restart().unwrap();
    for peer in network.peers() {
        query(peer);
    }
}
