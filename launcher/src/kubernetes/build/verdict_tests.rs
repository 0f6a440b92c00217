//! Every way in which a Job can end, as the API shows it.

use selvedge_buildpack::digest::Sha256;
use serde_json::{Value, json};

use super::*;
fn settings() -> Builds {
    super::super::manifest::tests::settings(
        "  {resources: {requests: {memory: 1Gi}, limits: {memory: 1Gi}}, disk: 2Gi}\n",
    )
}

fn sight(job: Value, pod: Value) -> Sight {
    Sight {
        job: serde_json::from_value(job).unwrap(),
        pod: serde_json::from_value(pod).unwrap(),
        ..Sight::default()
    }
}

fn pod(status: &Value) -> Value {
    json!({ "metadata": { "name": "build-x", "uid": "pod-uid" }, "status": status })
}

fn compiling(state: &Value) -> Value {
    pod(&json!({ "phase": "Running", "containerStatuses": [container("compile", state)] }))
}

fn container(name: &str, state: &Value) -> Value {
    json!({
        "name": name, "state": state, "image": "golang:1", "imageID": "", "ready": false,
        "restartCount": 0,
    })
}

fn ended(exit: i32, reason: &str, message: &str) -> Value {
    compiling(&json!({ "terminated": { "exitCode": exit, "reason": reason, "message": message } }))
}

fn running_job() -> Value {
    json!({ "metadata": { "name": "build" }, "status": {} })
}

#[track_caller]
fn fails(sight: &Sight, line: &str) {
    match sight.verdict("build", &settings()) {
        Verdict::Ended(result) => assert_eq!((*result).unwrap_err().to_string(), line),
        other => panic!("{other:?} instead of `{line}`"),
    }
}

#[track_caller]
fn is_hindered(sight: &Sight, kind: TroubleKind, outlook: Outlook, line: &str) {
    match sight.verdict("build", &settings()) {
        Verdict::Hindered(found) => {
            assert_eq!((found.kind, found.outlook), (kind, outlook), "{found:?}");
            assert_eq!(found.failure.to_string(), line);
        }
        other => panic!("{other:?} instead of `{line}`"),
    }
}

#[track_caller]
fn is_unheard(sight: &Sight, line: &str) {
    match sight.verdict("build", &settings()) {
        Verdict::Unheard(failure) => assert_eq!(failure.to_string(), line),
        other => panic!("{other:?} instead of `{line}`"),
    }
}

#[track_caller]
fn is_open(sight: &Sight) {
    assert_eq!(sight.verdict("build", &settings()), Verdict::Open);
}

#[test]
fn on_its_way() {
    is_open(&sight(running_job(), Value::Null));
    is_open(&sight(running_job(), pod(&json!({ "phase": "Pending" }))));
    is_open(&sight(
        running_job(),
        compiling(&json!({ "waiting": { "reason": "PodInitializing" } })),
    ));
    let compiles = sight(running_job(), compiling(&json!({ "running": {} })));
    is_open(&compiles);
    assert!(compiles.has_log());
    let tools = container("tools", &json!({ "terminated": { "exitCode": 0 } }));
    let brought = sight(running_job(), pod(&json!({ "initContainerStatuses": [tools] })));
    is_open(&brought);
    assert!(!brought.has_log());
}

#[test]
fn in_its_own_words() {
    let image = Sha256::of(b"image");
    let message = format!(r#"{{"image":"{image}"}}"#);
    let done = sight(running_job(), ended(0, "Completed", &message));
    let expected = Verdict::Ended(Box::new(Ok(Outcome::Image(image))));
    let lost_a_process = sight(running_job(), ended(0, "OOMKilled", &message));
    assert_eq!(lost_a_process.verdict("build", &settings()), expected);
    assert_eq!(done.verdict("build", &settings()), expected);
    for (message, line) in [
        (
            r#"{"compile":["./main.go:1:1: one","./main.go:2:1: two"]}"#,
            "the chaincode does not compile: ./main.go:1:1: one | ./main.go:2:1: two",
        ),
        (r#"{"failed":"no source"}"#, "the build failed: no source"),
        (r#""killed""#, "the build met its memory limit of 1Gi (builds.resources)"),
        (
            "something else",
            "the build's pod build-x was ended from outside: Error, exit code 1: something else",
        ),
    ] {
        fails(&sight(running_job(), ended(1, "Error", message)), line);
    }
    // What fetches for it has words of its own, which are heard first.
    let fetching = |exit: i32, message: &str, compile: &Value| {
        let state = json!({ "terminated": { "exitCode": exit, "message": message } });
        let both = [container("compile", compile), container("fetch", &state)];
        sight(running_job(), pod(&json!({ "containerStatuses": both })))
    };
    let words = "the chaincode does not compile: go: 401 Unauthorized";
    let unfetched = r#"{"failed":"what the chaincode depends on was not fetched"}"#;
    let in_vain = json!({ "terminated": { "exitCode": 1, "message": unfetched } });
    fails(&fetching(1, r#"{"compile":["go: 401 Unauthorized"]}"#, &in_vain), words);
    let waiting = json!({ "waiting": { "reason": "ContainerCreating" } });
    let fetched = fetching(0, r#""fetched""#, &waiting);
    is_open(&fetched);
    assert!(fetched.has_log_of("fetch") && !fetched.has_log_of("compile"));
    // A build that says it made an image but failed made none.
    let odd = sight(running_job(), ended(1, "Error", &message));
    assert!(matches!(odd.verdict("build", &settings()), Verdict::Ended(result) if result.is_err()));
}

#[test]
fn at_a_limit() {
    fails(
        &sight(running_job(), ended(137, "OOMKilled", "")),
        "the build met its memory limit of 1Gi (builds.resources)",
    );
    let words = r#"Usage of EmptyDir volume "work" exceeds the limit "2Gi". "#;
    fails(
        &sight(
            running_job(),
            pod(&json!({ "phase": "Failed", "reason": "Evicted", "message": words })),
        ),
        &format!("the build met its disk limit of 2Gi (builds.disk): {words}"),
    );
    let deadline = json!({ "metadata": { "name": "build" }, "status": { "conditions": [
        { "type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded" },
    ] } });
    fails(&sight(deadline, Value::Null), "the build met its time limit (builds.timeout)");
}

#[test]
fn kept_from_running() {
    let words = "Back-off pulling image \"golang:1\"";
    let waiting = json!({ "waiting": { "reason": "ImagePullBackOff", "message": words } });
    let line = format!("the build's pod build-x cannot start: ImagePullBackOff: {words}");
    let (image, passing) = (TroubleKind::Image, Outlook::Passing);
    is_hindered(&sight(running_job(), compiling(&waiting)), image, passing, &line);
    let tools = pod(&json!({ "initContainerStatuses": [container("tools", &waiting)] }));
    is_hindered(&sight(running_job(), tools), image, passing, &line);
    let invalid = json!({ "waiting": { "reason": "InvalidImageName" } });
    let line = "the build's pod build-x cannot start: InvalidImageName: image golang:1";
    is_hindered(&sight(running_job(), compiling(&invalid)), image, Outlook::Lasting, line);

    let full = pod(&json!({ "phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/2 nodes are available: 2 Insufficient cpu.",
    }] }));
    let line = "the build's pod waits for a node: 0/2 nodes are available: 2 Insufficient cpu.";
    let node = TroubleKind::Schedule;
    is_hindered(&sight(running_job(), full), node, Outlook::Crowded, line);
}

#[test]
fn refused_a_pod() {
    for (message, outlook) in [
        ("pods \"build-\" is forbidden: exceeded quota: small", Outlook::Crowded),
        ("failed calling webhook \"policy.example.com\": connection refused", Outlook::Passing),
    ] {
        let mut refused = sight(running_job(), Value::Null);
        refused.warn(warning("build", "FailedCreate", message, 1));
        let line = format!("the build's Job build gets no pod: {message}");
        is_hindered(&refused, TroubleKind::Create, outlook, &line);
        refused.pod = serde_json::from_value(pod(&json!({ "phase": "Pending" }))).unwrap();
        is_open(&refused);
    }
}

#[test]
fn not_set_up() {
    let message =
        "MountVolume.SetUp failed for volume \"authorities\": configmap \"company\" not found";
    let creating = json!({ "waiting": { "reason": "ContainerCreating" } });
    let mut waits = sight(running_job(), compiling(&creating));
    waits.warn(warning("pod-uid", "FailedMount", message, 1));
    is_open(&waits);
    waits.warn(warning("pod-uid", "FailedMount", message, 2));
    let line = format!("the build's pod build-x cannot start: FailedMount: {message}");
    is_hindered(&waits, TroubleKind::Sandbox, Outlook::Passing, &line);
    waits.pod = serde_json::from_value(compiling(&json!({ "running": {} }))).unwrap();
    is_open(&waits);
}

fn warning(about: &str, reason: &str, message: &str, count: u32) -> Event {
    serde_json::from_value(json!({
        "metadata": { "uid": reason }, "involvedObject": { "uid": about }, "reason": reason,
        "message": message, "count": count, "type": "Warning",
    }))
    .unwrap()
}

#[test]
fn ended_from_outside() {
    fails(
        &sight(Value::Null, compiling(&json!({ "running": {} }))),
        "the build's Job build was deleted",
    );
    let failed = json!({ "metadata": { "name": "build" }, "status": { "conditions": [{
        "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
        "message": "Job has reached the specified backoff limit",
    }] } });
    is_unheard(
        &sight(failed, compiling(&json!({ "running": {} }))),
        "the build's pod build-x was ended from outside: somebody deleted it, or its node is gone",
    );
    let evicted = json!({ "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory." });
    fails(
        &sight(running_job(), pod(&evicted)),
        "the build's pod build-x was ended from outside: Evicted: The node was low on resource: \
         memory.",
    );
    fails(
        &sight(running_job(), ended(137, "Error", "")),
        "the build's pod build-x was ended from outside: Error, exit code 137",
    );
}
