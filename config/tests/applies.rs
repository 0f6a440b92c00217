//! What of a file applies to which chaincode, and from where.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use selvedge_config::{
    Chaincode, Execution, Keep, Match, Operator, Origin, Place, Subject, Unmatched, Variable,
};

const FILE: &str = "apiVersion: selvedge/v1
backend: kubernetes
chaincode:
  resources: {limits: {memory: 1Gi}}
  environment: {LOG: info, MODE: a}
  tolerations: [{key: a}]
overrides:
  - match: {label: 'basic_*'}
    chaincode:
      replicas: 3
      environment: {LOG: debug}
      tolerations: [{key: b}]
      timeouts: {drain: 5s}
  - match: {msp: Org1MSP, peer: 'peer-0*'}
    chaincode:
      replicas: 2
      environment: {MODE: null}
      tmp: null
";

fn operator() -> Operator {
    Operator::read(FILE.as_bytes()).unwrap()
}

fn subject(label: &str, msp: &str, peer: &str) -> Subject {
    Subject { label: label.into(), msp: msp.into(), peer: peer.into() }
}

fn of(label: &str, msp: &str, peer: &str) -> Chaincode {
    operator().chaincode(&subject(label, msp, peer)).unwrap()
}

#[test]
fn what_nobody_said_has_its_default() {
    let other = of("other", "Org2MSP", "peer-1");
    assert_eq!(other.replicas, 1);
    assert_eq!(other.tmp, Quantity("64Mi".into()));
    let resources = &other.resources;
    assert_eq!(resources.limits.as_ref().unwrap()["memory"], Quantity("1Gi".into()));
    assert_eq!(resources.limits.as_ref().unwrap()["ephemeral-storage"], Quantity("256Mi".into()));
    assert_eq!(resources.requests.as_ref().unwrap()["cpu"], Quantity("50m".into()));
    assert_eq!(Operator::default().defaults(), &Chaincode::default());
}

#[test]
fn a_later_override_wins_key_by_key() {
    let both = of("basic_1", "Org1MSP", "peer-01");
    assert_eq!(both.replicas, 2);
    assert_eq!(both.timeouts.drain.to_string(), "5s");
    assert_eq!(both.environment["LOG"], Variable::Value("debug".into()));
    assert!(!both.environment.contains_key("MODE"), "it was taken back");
    let one = of("basic_1", "Org2MSP", "peer-01");
    assert_eq!(one.replicas, 3);
    assert_eq!(one.environment["MODE"], Variable::Value("a".into()));
    let keys: Vec<_> = one.tolerations.iter().map(|one| one.key.clone().unwrap()).collect();
    assert_eq!(keys, ["b"], "lists are replaced");
}

#[test]
fn each_value_knows_its_line() {
    let said = operator().said(&subject("basic_1", "Org1MSP", "peer-01"));
    let line = |path: &str| match said.iter().find(|said| said.path == path).unwrap().origin {
        Origin::File(Place { line, .. }) => Some(line),
        Origin::Default => None,
    };
    assert_eq!(line("replicas"), Some(16));
    assert_eq!(line("environment.LOG"), Some(11));
    assert_eq!(line("resources.limits.memory"), Some(4));
    assert_eq!(line("resources.requests.memory"), None);
    assert_eq!(line("tolerations"), Some(12));
}

#[test]
fn an_override_for_nobody_is_known() {
    let unmatched = operator().unmatched(&[subject("basic_1", "Org2MSP", "peer-1")]);
    let matching =
        Match { msp: Some("Org1MSP".into()), peer: Some("peer-0*".into()), ..Match::default() };
    assert_eq!(
        unmatched,
        [Unmatched { number: 1, matching, place: Some(Place { line: 14, column: 12 }) }]
    );
}

#[test]
fn overrides_that_are_sound_each_by_itself_may_not_be_together() {
    let text = "apiVersion: selvedge/v1\nbackend: kubernetes\noverrides:\n\
                - match: {label: a*}\n  chaincode: {resources: {requests: {memory: 400Mi}}}\n\
                - match: {label: '*b'}\n  chaincode: {resources: {limits: {memory: 200Mi}}}\n";
    let operator = Operator::read(text.as_bytes()).unwrap();
    operator.chaincode(&subject("a", "m", "p")).unwrap();
    operator.chaincode(&subject("b", "m", "p")).unwrap();
    let faults = operator.chaincode(&subject("ab", "m", "p")).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "5:46: chaincode.resources.requests.memory: a pod cannot be promised 400Mi, its limit is 200Mi"
    );
}

#[test]
fn a_difference_is_a_line_for_each_key() {
    let one = of("basic_1", "Org1MSP", "peer-01");
    let other = of("basic_1", "Org2MSP", "peer-01");
    assert_eq!(one.differences(&other), ["environment.MODE: \"a\"", "replicas: 2 -> 3"]);
    assert!(one.differences(&one).is_empty());
    let mut patient = one.clone();
    patient.timeouts.drain = other.timeouts.start;
    assert!(one.runs_as(&patient) && !one.runs_as(&other));
}

#[test]
fn an_overlay_keeps_what_takes_something_away() {
    let text = "apiVersion: selvedge/v1\nbackend: kubernetes\nchaincode:\n  podTemplate:\n    spec:\n      \
                dnsConfig: null\n      volumes: [{name: a, $patch: delete}]\n";
    let operator = Operator::read(text.as_bytes()).unwrap();
    let overlay = &operator.defaults().pod_template["spec"];
    assert!(overlay["dnsConfig"].is_null() && overlay.get("dnsConfig").is_some());
    assert_eq!(overlay["volumes"][0]["$patch"], "delete");
}

#[test]
fn every_way_to_run_is_known_with_its_places() {
    let operator = operator();
    let [defaults, first, second] = operator.variants() else { panic!("two overrides") };
    assert_eq!(defaults.chaincode(), operator.defaults());
    assert_eq!((first.chaincode().replicas, second.chaincode().replicas), (3, 2));
    assert_eq!(first.path(), "overrides[0].chaincode");
    let line = |path: &[&str]| first.place_of(path.iter().copied()).map(|place| place.line);
    assert_eq!(line(&["environment", "LOG"]), Some(11));
    assert_eq!(line(&["environment", "MODE"]), Some(5));
    assert_eq!(line(&["tmp"]), None);
}

#[test]
fn labels_alone_tell_which_overrides_are_for_nobody() {
    let unmatched = |labels: &[&str]| {
        let all = operator().unmatched_by_label(labels);
        all.iter().map(|one| one.number).collect::<Vec<_>>()
    };
    assert_eq!(unmatched(&["basic_1", "other"]), [0; 0]);
    assert_eq!(unmatched(&["other"]), [0]);
}

#[test]
fn what_means_nothing_on_the_backend_is_not_said() {
    let operator = Operator::read(b"apiVersion: selvedge/v1\n").unwrap();
    let said = operator.said(&subject("a", "m", "p"));
    let paths: Vec<&str> = said.iter().map(|said| said.path.as_str()).collect();
    assert_eq!(paths, ["execution", "replay", "replicas", "timeouts.drain", "timeouts.start"]);
}

#[test]
fn what_counts_is_what_the_execution_has_a_use_for() {
    let text = "apiVersion: selvedge/v1\nchaincode: {replicas: 2, function: {callsPerProcess: 1}}\n\
                overrides:\n  - match: {label: a}\n    chaincode: {execution: function, function: \
                {maxReplicas: 3}}\n";
    let operator = Operator::read(text.as_bytes()).unwrap();
    let of = |label| operator.chaincode(&subject(label, "Org1MSP", "peer")).unwrap().execution();
    assert_eq!(of("b"), Execution::Service { replicas: 2, most: 2 });
    let Execution::Function(function) = of("a") else { panic!("it is executed otherwise") };
    assert_eq!(function.max_replicas.get(), 3);
    assert_eq!(function.calls_per_process.map(u32::from), Some(1));
    assert_eq!(function.idle.to_string(), "1m");
    assert_eq!(function.keep, Keep::Pod);
}
