//! Reasons, from objects as clusters show them.

use serde_json::{Value, json};

use super::*;

fn pod(status: &Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "basic-x", "uid": "u1"},
        "spec": {"containers": [{
            "name": "chaincode",
            "resources": {"limits": {"memory": "64Mi"}},
        }]},
        "status": status,
    }))
    .unwrap()
}

fn container(state: &Value, last: &Value, restarts: u32) -> Value {
    json!({"containerStatuses": [{
        "name": "chaincode", "image": "registry/chaincode@sha256:01", "imageID": "",
        "ready": false, "restartCount": restarts, "state": state, "lastState": last,
    }]})
}

fn trouble_of(pod: &Pod) -> Option<Trouble> {
    trouble(&Scene {
        deployment: None,
        replica_sets: &[],
        pods: &[pod],
        others_leaving: false,
        warnings: &[],
    })
}

#[test]
fn an_image_that_is_not_there() {
    let waiting = json!({"waiting": {
        "reason": "ErrImagePull",
        "message": "rpc error: code = NotFound desc = not found\n",
    }});
    let found = trouble_of(&pod(&container(&waiting, &json!({}), 0))).unwrap();
    assert_eq!(found.kind, TroubleKind::Image);
    assert_eq!(
        found.reason,
        "cannot pull the image registry/chaincode@sha256:01: ErrImagePull: \
         rpc error: code = NotFound desc = not found"
    );
}

#[test]
fn a_container_being_made_is_no_trouble() {
    let waiting = json!({"waiting": {"reason": "ContainerCreating"}});
    assert_eq!(trouble_of(&pod(&container(&waiting, &json!({}), 0))), None);
}

#[test]
fn a_chaincode_that_ends_again_and_again() {
    let state = json!({"waiting": {
        "reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container",
    }});
    let last = json!({"terminated": {
        "exitCode": 2, "reason": "Error", "containerID": "containerd://7",
        "message": "panic: no\n\ngoroutine 1 [running]:\n",
    }});
    let pod = pod(&container(&state, &last, 1));
    assert_eq!(
        trouble_of(&pod).unwrap().reason,
        "it ended 2 times (CrashLoopBackOff): exit status: 2; it wrote: \
         panic: no"
    );
    let end = ended(&pod).unwrap();
    assert_eq!(end.container, "containerd://7");
}

#[test]
fn a_second_end_is_told_before_the_kubelet_says_that_it_waits() {
    let ended = |minutes: u32| {
        json!({"terminated": {
            "exitCode": 1, "reason": "Error", "containerID": "containerd://9",
            "startedAt": "2026-11-21T01:00:00Z",
            "finishedAt": format!("2026-11-21T01:{minutes:02}:01Z"),
        }})
    };
    for (restarts, minutes, expected) in [(0, 0, false), (1, 0, true), (1, 10, false)] {
        let found = trouble_of(&pod(&container(&ended(minutes), &json!({}), restarts)));
        let is_crash = found.is_some_and(|found| found.kind == TroubleKind::Crash);
        assert_eq!(is_crash, expected, "{restarts} {minutes}");
    }
}

#[test]
fn a_chaincode_that_used_too_much_memory() {
    let state = json!({"terminated": {
        "exitCode": 137, "reason": "OOMKilled", "containerID": "containerd://8",
    }});
    let end = ended(&pod(&container(&state, &json!({}), 0))).unwrap();
    assert_eq!(end.exit.status, "it used more memory than its limit of 64Mi (OOMKilled)");
}

#[test]
fn an_evicted_pod_says_why() {
    let pod = pod(&json!({
        "phase": "Failed", "reason": "Evicted", "message": "Usage of EmptyDir volume \"tmp\"",
    }));
    assert!(is_over(&pod));
    assert_eq!(trouble_of(&pod), None, "another pod takes its place");
    assert_eq!(ended(&pod).unwrap().exit.status, "Evicted: Usage of EmptyDir volume \"tmp\"");
}

fn unschedulable_pod() -> Pod {
    pod(&json!({"phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/2 nodes are available: 1 Insufficient cpu.",
    }]}))
}

#[test]
fn the_schedulers_words_are_kept() {
    let found = trouble_of(&unschedulable_pod()).unwrap();
    assert_eq!(
        found.reason,
        "no node takes its pod (Unschedulable): 0/2 nodes are available: 1 Insufficient cpu."
    );
}

#[test]
fn a_pod_that_waits_for_its_predecessors_room_is_no_trouble() {
    let pod = unschedulable_pod();
    let scene = Scene {
        deployment: None,
        replica_sets: &[],
        pods: &[&pod],
        others_leaving: true,
        warnings: &[],
    };
    assert_eq!(trouble(&scene), None);
}

#[test]
fn a_quota_that_is_used_up() {
    let set: ReplicaSet = serde_json::from_value(json!({
        "metadata": {"name": "basic"},
        "spec": {"selector": {}},
        "status": {"replicas": 0, "conditions": [{
            "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": "pods \"basic-x\" is forbidden: exceeded quota: small",
        }]},
    }))
    .unwrap();
    let scene = Scene {
        deployment: None,
        replica_sets: &[&set],
        pods: &[],
        others_leaving: false,
        warnings: &[],
    };
    assert_eq!(
        trouble(&scene).unwrap().reason,
        "no pod may be made for it (FailedCreate): \
         pods \"basic-x\" is forbidden: exceeded quota: small"
    );
}

#[test]
fn a_sandbox_that_fails_in_other_words_each_time_is_trouble() {
    let pod = pod(&json!({"phase": "Pending"}));
    let event = |words: &str| -> Event {
        serde_json::from_value(json!({
            "metadata": {"name": words},
            "involvedObject": {"kind": "Pod", "uid": "u1"},
            "reason": "FailedCreatePodSandBox", "count": 1, "type": "Warning",
            "message": format!("failed to start {words}"),
        }))
        .unwrap()
    };
    let (first, second) = (event("dd17"), event("0380"));
    let scene = Scene {
        deployment: None,
        replica_sets: &[],
        pods: &[&pod],
        others_leaving: false,
        warnings: &[&first, &second],
    };
    assert_eq!(
        trouble(&scene).unwrap().reason,
        "its pod cannot be set up (FailedCreatePodSandBox): failed to start 0380"
    );
}

#[test]
fn a_volume_that_stays_away_is_trouble_but_not_at_once() {
    let pod = pod(&json!({"phase": "Pending"}));
    for (count, expected) in [(1, false), (2, true)] {
        let event: Event = serde_json::from_value(json!({
            "metadata": {"name": "e"},
            "involvedObject": {"kind": "Pod", "uid": "u1"},
            "reason": "FailedMount", "count": count, "type": "Warning",
            "message": "MountVolume.SetUp failed: secret \"basic\" not found",
        }))
        .unwrap();
        let scene = Scene {
            deployment: None,
            replica_sets: &[],
            pods: &[&pod],
            others_leaving: false,
            warnings: &[&event],
        };
        let found = trouble(&scene);
        assert_eq!(found.is_some(), expected, "{count}: {found:?}");
    }
}
