//! What an overlay may do to a chaincode's pods, what it may where it is allowed, and what never.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::overlay::Overlay;

const OWN: Own<'_> = Own {
    container: "chaincode",
    gate: "proxy-reached",
    credentials: "credentials",
    keeper: "keeper",
    host: "basic-1-0.chaincode.svc",
    environment: &["CORE_CHAINCODE_ID_NAME", "CORE_PEER_TLS_ROOTCERT_FILE"],
    labels: &["app.kubernetes.io/instance", "selvedge.dev/peer"],
    annotations: &["selvedge.dev/package-id", "selvedge.dev/credentials"],
};

fn template() -> PodTemplateSpec {
    serde_saphyr::from_str(include_str!("../../tests/baseline/template.yaml")).unwrap()
}

fn merged(before: &PodTemplateSpec, overlay: &Value) -> PodTemplateSpec {
    Overlay::new(overlay).unwrap().over(before).unwrap()
}

/// What an overlay lifts of the template, or all that it is refused for.
fn judged(overlay: &Value, allowed: &[Allowance]) -> Result<Vec<Lifted>, Vec<Refusal>> {
    let before = template();
    let allowed = allowed.iter().copied().collect();
    lifted(&before, &merged(&before, overlay), &OWN, &allowed).map_err(|Refusals(all)| all)
}

#[test]
fn what_is_lifted_has_to_be_allowed() {
    #[derive(Deserialize)]
    struct Case {
        allow: Allowance,
        at: Vec<String>,
        overlay: Value,
    }
    let cases: Vec<Case> =
        serde_saphyr::from_str(include_str!("../../tests/baseline/allowed.yaml")).unwrap();
    for Case { allow, at, overlay } in &cases {
        let others: Vec<_> = Allowance::ALL.into_iter().filter(|other| other != allow).collect();
        for allowed in [&[][..], &others] {
            let refusals = judged(overlay, allowed).unwrap_err();
            let found: Vec<_> = refusals.iter().map(|each| each.path.to_string()).collect();
            assert_eq!(&found, at, "{overlay}");
            assert!(refusals.iter().all(|each| each.allowance == Some(*allow)), "{refusals:?}");
        }
        let lifted = judged(overlay, &[*allow]).unwrap();
        let found: Vec<_> = lifted.iter().map(|each| each.path.to_string()).collect();
        assert_eq!(&found, at, "{overlay}");
        assert!(lifted.iter().all(|each| each.allowance == *allow), "{lifted:?}");
    }
    let shown: BTreeSet<_> = cases.iter().map(|case| case.allow).collect();
    assert_eq!(shown, Allowance::ALL.into_iter().collect());
}

#[test]
fn what_makes_a_pod_a_replica_cannot_be_lifted() {
    #[derive(Deserialize)]
    struct Case {
        at: String,
        overlay: Value,
    }
    let cases: Vec<Case> =
        serde_saphyr::from_str(include_str!("../../tests/baseline/never.yaml")).unwrap();
    for Case { at, overlay } in cases {
        let refusals = judged(&overlay, &Allowance::ALL).unwrap_err();
        let found = refusals.iter().find(|refusal| refusal.path.to_string() == at);
        let found = found.unwrap_or_else(|| panic!("{at}: {refusals:?}"));
        assert_eq!(found.allowance, None, "{found}");
    }
}

#[test]
fn what_harms_nothing_is_taken_as_it_is() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        overlay: Value,
    }
    let cases: Vec<Case> =
        serde_saphyr::from_str(include_str!("../../tests/baseline/harmless.yaml")).unwrap();
    for Case { name, overlay } in cases {
        assert_eq!(judged(&overlay, &[]), Ok(Vec::new()), "{name}");
        assert_eq!(judged(&overlay, &Allowance::ALL), Ok(Vec::new()), "{name}");
    }
}

#[test]
fn every_refusal_is_told_at_once() {
    let overlay = json!({ "spec": {
        "hostNetwork": true,
        "containers": [{ "name": "chaincode", "image": "other" }, { "name": "bare" }],
        "volumes": [{ "name": "credentials", "$patch": "delete" }],
    } });
    let refusals = judged(&overlay, &[Allowance::ChaincodeImage]).unwrap_err();
    assert_eq!(
        Refusals(refusals).to_string().lines().collect::<Vec<_>>(),
        [
            r#"spec.containers[name="bare"].securityContext.allowPrivilegeEscalation: is not false (Pod Security, Privilege Escalation); `allowPrivilegeEscalation` in `allow` permits it"#,
            r#"spec.containers[name="bare"].securityContext.capabilities: does not drop `ALL` capabilities (Pod Security, Capabilities); `capabilitiesDrop` in `allow` permits it"#,
            "spec.hostNetwork: shares a namespace of the node (Pod Security, Host Namespaces); `hostNetwork` in `allow` permits it",
            r#"spec.volumes[name="credentials"]: the replicas' credentials are replaced; nothing permits it"#,
        ],
    );
}

#[test]
fn what_is_lifted_reads_as_a_line() {
    let overlay = json!({ "spec": { "hostPID": true } });
    let lifted = judged(&overlay, &[Allowance::HostPid]).unwrap();
    assert_eq!(lifted[0].to_string(), "hostPID at spec.hostPID");
}

#[test]
fn an_overlay_does_not_answer_for_what_was_so_before() {
    let open = json!({ "spec": {
        "hostNetwork": true,
        "shareProcessNamespace": true,
        "automountServiceAccountToken": null,
        "containers": [{ "name": "bare" }],
    } });
    let before = merged(&template(), &open);
    let after = merged(&before, &json!({ "metadata": { "labels": { "team": "ledger" } } }));
    assert_eq!(lifted(&before, &after, &OWN, &BTreeSet::new()), Ok(Vec::new()));
}

#[test]
fn an_allowance_is_named_alike_wherever_it_stands() {
    let names: Vec<_> = Allowance::ALL.iter().map(ToString::to_string).collect();
    let read: Vec<Allowance> = serde_json::from_value(json!(names)).unwrap();
    assert_eq!(read, Allowance::ALL);
    assert!(read.is_sorted());
}
