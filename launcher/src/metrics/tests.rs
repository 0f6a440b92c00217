use std::collections::BTreeSet;
use std::time::Duration;

use selvedge_proto::launcher::KubernetesPlace;
use serde_json::Value;

use super::*;
use crate::build_records::Count;

fn launcher() -> LauncherStatus {
    LauncherStatus {
        version: "0.1.0".into(),
        backend: "kubernetes".into(),
        ..LauncherStatus::default()
    }
}

fn basic() -> ChaincodeStatus {
    let place = KubernetesPlace { namespace: "org1".into(), deployment: "basic".into() };
    ChaincodeStatus {
        package_id: "basic_1.0:ab".into(),
        msp_id: "Org1MSP".into(),
        place: Some(Place::Kubernetes(place)),
        state: RunState::Ready.into(),
        replicas_wanted: 3,
        replicas_registered: 2,
        replicas_started: 4,
        replicas_ended: 2,
        transactions_in_flight: 17,
        transactions_run_again: 5,
        traffic: Some(Traffic {
            begun: 100,
            failed: 6,
            took: vec![70, 20, 1],
            bounds: vec![0.001, 0.5],
            seconds: 2.5,
            bytes_from_peer: 4096,
            bytes_to_peer: 2048,
            ..Traffic::default()
        }),
        ..ChaincodeStatus::default()
    }
}

#[track_caller]
fn has(told: &str, lines: &[String]) {
    for line in lines {
        assert!(told.lines().any(|told| told == line), "{line} is not in:\n{told}");
    }
}

#[test]
fn what_there_is_of_each_chaincode() {
    let told = told(&launcher(), &[basic()], &Counts::default());
    let of = r#"package_id="basic_1.0:ab",msp_id="Org1MSP",peer="",deployment="basic""#;
    has(
        &told,
        &[
            format!("selvedge_chaincode_transactions_in_flight{{{of}}} 17"),
            format!("selvedge_chaincode_replicas_wanted{{{of}}} 3"),
            format!("selvedge_chaincode_replicas_registered{{{of}}} 2"),
            format!("selvedge_chaincode_ready{{{of}}} 1"),
            format!("selvedge_chaincode_transactions_total{{{of}}} 100"),
            format!("selvedge_chaincode_transactions_failed_total{{{of}}} 6"),
            format!("selvedge_chaincode_transactions_run_again_total{{{of}}} 5"),
            format!("selvedge_chaincode_replicas_started_total{{{of}}} 4"),
            format!("selvedge_chaincode_replicas_ended_total{{{of}}} 2"),
            format!("selvedge_chaincode_received_from_peer_bytes_total{{{of}}} 4096"),
            format!("selvedge_chaincode_sent_to_peer_bytes_total{{{of}}} 2048"),
            format!("selvedge_chaincode_transaction_duration_seconds_sum{{{of}}} 2.5"),
            format!("selvedge_chaincode_transaction_duration_seconds_count{{{of}}} 91"),
            format!(
                r#"selvedge_chaincode_transaction_duration_seconds_bucket{{le="0.001",{of}}} 70"#
            ),
            format!(
                r#"selvedge_chaincode_transaction_duration_seconds_bucket{{le="0.5",{of}}} 90"#
            ),
            format!(
                r#"selvedge_chaincode_transaction_duration_seconds_bucket{{le="+Inf",{of}}} 91"#
            ),
            "# EOF".to_owned(),
        ],
    );
}

#[test]
fn two_runs_of_a_chaincode_are_told_of_together() {
    let told = told(&launcher(), &[basic(), basic()], &Counts::default());
    let of = r#"package_id="basic_1.0:ab",msp_id="Org1MSP",peer="",deployment="basic""#;
    has(
        &told,
        &[
            format!("selvedge_chaincode_transactions_total{{{of}}} 200"),
            format!("selvedge_chaincode_transaction_duration_seconds_count{{{of}}} 182"),
            format!(
                r#"selvedge_chaincode_transaction_duration_seconds_bucket{{le="0.5",{of}}} 180"#
            ),
        ],
    );
}

#[test]
fn what_there_is_of_builds_and_of_the_launcher() {
    let counts = Counts {
        done: Count { number: 3, time: Duration::from_millis(4500) },
        underway: 2,
        ..Counts::default()
    };
    let told = told(&launcher(), &[], &counts);
    has(
        &told,
        &[
            r#"selvedge_launcher_info{version="0.1.0",backend="kubernetes"} 1"#.to_owned(),
            "selvedge_launcher_open 1".to_owned(),
            "selvedge_launcher_file_refused 0".to_owned(),
            "selvedge_build_underway 2".to_owned(),
            r#"selvedge_build_ended_total{outcome="done"} 3"#.to_owned(),
            r#"selvedge_build_ended_total{outcome="failed"} 0"#.to_owned(),
            r#"selvedge_build_time_seconds_total{outcome="done"} 4.5"#.to_owned(),
        ],
    );
    assert!(told.ends_with("# EOF\n"), "{told}");
}

/// The words of a text that are names of metrics of ours.
fn names(text: &str) -> BTreeSet<&str> {
    let words =
        text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words.filter(|word| word.starts_with("selvedge_")).collect()
}

#[test]
fn the_dashboard_draws_what_is_there() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../images/grafana/selvedge.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let told = told(&launcher(), &[basic()], &Counts::default());
    let there = names(&told);
    let mut drawn = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let named = names(expression);
            assert!(!named.is_empty(), "{expression}");
            drawn.extend(named.into_iter().map(str::to_owned));
        }
    }
    for name in &drawn {
        assert!(there.contains(name.as_str()), "{name} is not told:\n{told}");
    }
    let variables = dashboard["templating"].to_string();
    assert!(names(&variables).iter().all(|name| there.contains(name)), "{variables}");
    // And all that is told of chaincode and of builds is drawn.
    let samples = told.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.filter_map(|line| line.split(['{', ' ']).next());
    for name in samples.filter(|name| !name.starts_with("selvedge_launcher")) {
        let is_drawn = drawn.contains(name) || name.ends_with("_sum") || name.ends_with("_count");
        assert!(is_drawn, "{name} is not drawn");
    }
}
