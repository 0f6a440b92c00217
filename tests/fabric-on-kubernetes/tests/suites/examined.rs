//! What the doctor says in a cluster: that nothing is wrong where all is as the manifests have it, and
//! each right that somebody takes away by its name.

use cluster::{KubectlError, Namespace, until};
use fabric_on_kubernetes::PeerPod;
use k8s_openapi::api::rbac::v1::{PolicyRule, Role};
use serde_json::{Value, json};

use crate::shared::{LIMIT, MSP_ID, on_fabric, one};

/// Rights of which a launcher has to have each.
const RIGHTS: usize = 46;

/// What does not work, as the doctor says it where the launcher is.
fn wrong(peer: &PeerPod) -> Vec<Value> {
    let told = peer.exec("launcher", &["selvedge", "doctor", "--json"]);
    let (told, healthy) = match told {
        Ok(told) => (told, true),
        Err(KubectlError::Failed { stdout, stderr, .. }) => {
            assert!(stderr.ends_with("exit code 1"), "{stderr}");
            (stdout, false)
        }
        Err(error) => panic!("{error}"),
    };
    let told: Value = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"));
    let findings = told["findings"].as_array().unwrap();
    let wrong: Vec<_> =
        findings.iter().filter(|found| found["verdict"] == "bad").cloned().collect();
    assert_eq!((&told["healthy"], wrong.is_empty()), (&json!(healthy), healthy), "{told:#}");
    wrong
}

/// A Role of Selvedge's in its namespace, from which a verb is taken for a while.
struct Granted<'a> {
    namespace: &'a Namespace,
    role: Role,
}

impl Granted<'_> {
    fn of(namespace: &Namespace) -> Vec<Granted<'_>> {
        let roles = ["get", "roles", "-l", "app.kubernetes.io/part-of=selvedge", "-o", "json"];
        let roles = namespace.kubectl(&roles).unwrap();
        let mut roles: Value = serde_json::from_str(&roles).unwrap();
        let roles: Vec<Role> = serde_json::from_value(roles["items"].take()).unwrap();
        roles.into_iter().map(|role| Granted { namespace, role }).collect()
    }

    fn rules(&self) -> &[PolicyRule] {
        self.role.rules.as_ref().unwrap()
    }

    fn put(&self, rules: &[PolicyRule]) {
        let name = self.role.metadata.name.as_ref().unwrap();
        let patch = json!({ "rules": rules }).to_string();
        self.namespace
            .kubectl(&["patch", "role", name, "--type", "merge", "--patch", &patch])
            .unwrap();
    }

    /// Takes each verb away in turn, and hands it to the test.
    async fn without_each(&self, mut test: impl AsyncFnMut(&str, &str)) {
        for (place, rule) in self.rules().iter().enumerate() {
            for verb in &rule.verbs {
                let mut rules = self.rules().to_vec();
                rules[place].verbs.retain(|other| other != verb);
                // A rule without verbs is refused.
                rules.retain(|rule| !rule.verbs.is_empty());
                self.put(&rules);
                test(verb, &rule.resources.as_ref().unwrap()[0]).await;
            }
        }
        self.put(self.rules());
    }
}

#[test]
fn each_right_that_is_taken_away_is_named() {
    on_fabric(&one("examined"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        assert_eq!(wrong(peer), [Value::Null; 0]);
        let namespace = peer.namespace();
        let mut tried = 0;
        for granted in Granted::of(namespace) {
            granted
                .without_each(async |verb, resource| {
                    let about = format!("right to {verb} {resource} in {}", namespace.name());
                    // The API server learns of it a moment later.
                    until(&about, LIMIT, async || match &wrong(peer)[..] {
                        [only] if only["about"] == about => Ok(()),
                        others => Err(format!("{others:#?}")),
                    })
                    .await
                    .unwrap();
                    tried += 1;
                })
                .await;
        }
        assert_eq!(tried, RIGHTS);
        until("nothing that is wrong", LIMIT, async || match &wrong(peer)[..] {
            [] => Ok(()),
            others => Err(format!("{others:#?}")),
        })
        .await
        .unwrap();
    });
}
