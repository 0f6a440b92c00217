use std::time::{Duration, UNIX_EPOCH};

use selvedge_proto::launcher::chaincode_status::Place;
use selvedge_proto::launcher::{
    self as told, ChaincodeStatus, ImageReference, KubernetesPlace, LauncherStatus, LocalPlace,
    RunState, StatusResponse,
};

use super::*;

const NOW: i64 = 1_764_000_000;

fn launcher() -> LauncherStatus {
    LauncherStatus {
        version: "0.1.0".into(),
        backend: "kubernetes".into(),
        peer: "peer0".into(),
        ..LauncherStatus::default()
    }
}

fn basic() -> ChaincodeStatus {
    ChaincodeStatus {
        package_id: format!("basic_1.0:{}", "01".repeat(32)),
        msp_id: "Org1MSP".into(),
        peer: String::new(),
        peer_address: "127.0.0.1:7052".into(),
        image: Some(ImageReference {
            name: "registry/basic".into(),
            digest: format!("sha256:{}", "ab".repeat(32)),
            command: None,
        }),
        place: Some(Place::Kubernetes(KubernetesPlace {
            namespace: "org1".into(),
            deployment: "basic-1-0-0123".into(),
        })),
        replicas_wanted: 2,
        replicas_registered: 1,
        state: RunState::Changing.into(),
        state_since: NOW - 3_725,
        lifted: vec!["hostNetwork".into(), "shareProcessNamespace".into()],
        reasons: vec![told::Reason {
            text: "it ended: \u{1b}[2Jexit status: 3".into(),
            since: NOW - 65,
        }],
        transactions_run_again: 12,
        transactions_answered: 3,
        transactions_differed: 0,
        function_processes: 0,
        transactions_in_flight: 4,
        replicas: vec![
            replica("basic-1", "node-1", told::ReplicaState::Registered),
            replica("basic-2", "node-2", told::ReplicaState::Unregistered),
        ],
        traffic: Some(told::Traffic {
            begun: 1_204,
            failed: 7,
            last_failure: Some(told::Reason {
                text: "the asset a7 does not exist".into(),
                since: NOW - 9,
            }),
            took: vec![0, 1_200, 0],
            bounds: vec![0.001, 0.002],
            seconds: 1.8,
            bytes_from_peer: 700_000,
            bytes_to_peer: 400_000,
        }),
        replicas_started: 3,
        replicas_ended: 1,
    }
}

fn replica(name: &str, node: &str, state: told::ReplicaState) -> told::ReplicaStatus {
    let (name, node) = (name.into(), node.into());
    told::ReplicaStatus { name, node, state: state.into(), since: NOW - 70 }
}

fn shown(launcher: LauncherStatus, of: &[ChaincodeStatus], width: Option<u16>) -> String {
    let answer = StatusResponse { launcher: Some(launcher), chaincodes: of.to_vec() };
    let now = UNIX_EPOCH + Duration::from_secs(NOW.try_into().unwrap());
    let text = text(&Report::of(answer), now, width).unwrap();
    anstream::adapter::strip_str(&text).to_string()
}

#[test]
fn a_row_has_what_is_to_know_and_lines_below_it_the_rest() {
    let (bare, digest) = ("01".repeat(32), "ab".repeat(32));
    let next = ChaincodeStatus {
        package_id: "next:02".into(),
        state: RunState::Starting.into(),
        state_since: NOW,
        ..ChaincodeStatus::default()
    };
    let local = ChaincodeStatus {
        package_id: "small:03".into(),
        place: Some(Place::Local(LocalPlace {})),
        replicas_wanted: 1,
        replicas_registered: 1,
        state: RunState::Ready.into(),
        state_since: NOW - 200_000,
        ..ChaincodeStatus::default()
    };
    let function = ChaincodeStatus {
        package_id: "called:04".into(),
        msp_id: "Org2MSP".into(),
        peer: "peer1".into(),
        function_processes: 4,
        replicas_registered: 0,
        replicas_wanted: 0,
        ..local.clone()
    };
    let text = shown(launcher(), &[basic(), next, local, function], None);
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
            cells.collect::<Vec<_>>().join("|")
        })
        .collect();
    assert_eq!(
        lines,
        [
            "launcher 0.1.0, backend kubernetes, peer peer0",
            "CHAINCODE|MSP|MODE|STATE|SINCE|REPLICAS|IN FLIGHT|CALLS|ERRORS|REPLAYS|NODE|WHERE|IMAGE",
            &format!(
                "basic_1.0:{bare}|Org1MSP|service|changing|1h 2m|1/2|4|1204|7|12|node-1, node-2|\
                 org1/basic-1-0-0123|registry/basic@sha256:{digest}"
            ),
            "lifted by `allow`: hostNetwork, shareProcessNamespace",
            "as replicas ended: transactions 12 run again, 3 answered with an error",
            "9s ago: a call failed: the asset a7 does not exist",
            r"1m 5s ago: it ended: \u{1b}[2Jexit status: 3",
            "next:02|-|starting|0s|-|-|-|-|-|-|-|-",
            "small:03|service|ready|2days 7h|1/1|0|-|-|0|-|this machine|-",
            "called:04|Org2MSP, peer1|function|ready|2days 7h|0, up to 4|0|-|-|0|-|this machine|-",
        ],
        "{text}"
    );
}

#[test]
fn it_fits_a_terminal() {
    for width in [60, 80, 120] {
        let text = shown(launcher(), &[basic(), basic()], Some(width));
        for line in text.lines() {
            assert!(line.chars().count() <= width.into(), "{width}:\n{text}");
        }
        let joined: String = text.split_whitespace().collect();
        assert!(joined.contains("shareProcessNamespace"), "{text}");
        assert!(!joined.contains(&"01".repeat(32)), "{text}");
    }
}

#[test]
fn a_launcher_says_what_is_wrong_with_it() {
    let starting = LauncherStatus {
        peer: String::new(),
        closed: "the launcher is starting".into(),
        file_refused: "it is not right:\n3:13: chaincode.replcas: unknown key".into(),
        unconfined: vec!["the kernel has no Landlock".into()],
        ..launcher()
    };
    assert_eq!(
        shown(starting, &[], Some(80)),
        "launcher 0.1.0, backend kubernetes\n\
         not ready: the launcher is starting\n\
         the operator's file is refused, what was in force stays: it is not right:\n  \
         3:13: chaincode.replcas: unknown key\n\
         not confined as far as it could be: the kernel has no Landlock\n\
         no chaincode runs\n"
    );
}

#[test]
fn json_keeps_its_shape() {
    let answer = StatusResponse { launcher: Some(launcher()), chaincodes: vec![basic()] };
    let text = serde_json::to_string_pretty(&Report::of(answer)).unwrap() + "\n";
    golden::golden_text("tests/golden/status.json", &text);
}
