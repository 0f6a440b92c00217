//! Builds whose launcher ends: nobody waits for them, and nothing of them stays.

use std::thread;
use std::time::Duration;

use cluster::until;
use fabric_on_kubernetes::{Fabric, FabricSpec};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ListParams, PostParams};
use kube::core::ObjectMeta;
use rustix::process::{Signal, kill_process};
use serde_json::json;
use testbed::PeerClient;

use crate::builds::await_build;
use crate::shared::{BUILDER, LIMIT, MSP_ID, new_program, on_fabric, one, package};
use fabric_on_kubernetes::processes::{all, launcher_of};

/// A launcher listens for half a minute before it takes another for dead.
const SWEEP: Duration = Duration::from_mins(2);

/// Keeps builds from their Secrets, so that their Jobs are not let run: an admission that does not
/// answer, which passes by itself for all that a launcher knows.
struct Withheld<'a> {
    fabric: &'a Fabric,
    name: String,
}

impl<'a> Withheld<'a> {
    /// Returns when it is so: an API server takes a moment to hear of a webhook.
    async fn begin(fabric: &'a Fabric) -> Self {
        let namespace = fabric.namespace().name();
        let name = format!("withheld-{namespace}");
        let webhook = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": name },
            "webhooks": [{
                "name": "nobody.selvedge.example",
                "admissionReviewVersions": ["v1"],
                "clientConfig": { "url": "https://127.0.0.1:1/" },
                "failurePolicy": "Fail",
                "namespaceSelector": {
                    "matchLabels": { "kubernetes.io/metadata.name": namespace },
                },
                "objectSelector": {
                    "matchLabels": { "app.kubernetes.io/component": "build" },
                },
                "rules": [{
                    "apiGroups": [""], "apiVersions": ["v1"],
                    "operations": ["CREATE"], "resources": ["secrets"],
                }],
                "sideEffects": "None",
                "timeoutSeconds": 1,
            }],
        });
        fabric.namespace().apply(&webhook).unwrap();
        let withheld = Self { fabric, name };
        let labels = [("app.kubernetes.io/component".to_owned(), "build".to_owned())];
        let metadata = ObjectMeta {
            name: Some("tried".to_owned()),
            labels: Some(labels.into()),
            ..ObjectMeta::default()
        };
        let tried = Secret { metadata, ..Secret::default() };
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        let secrets = fabric.namespace().api::<Secret>();
        until("a refused Secret", LIMIT, async || {
            let made = secrets.create(&parameters, &tried).await;
            if made.is_err() { Ok(()) } else { Err("it would be made".to_owned()) }
        })
        .await
        .unwrap();
        withheld
    }
}

impl Drop for Withheld<'_> {
    fn drop(&mut self) {
        // With the cluster gone, so is the webhook.
        let delete = ["delete", "validatingwebhookconfiguration", &self.name];
        let _ = self.fabric.namespace().kubectl(&delete);
    }
}

async fn jobs(fabric: &Fabric) -> Result<Vec<Job>, String> {
    let jobs = fabric.namespace().api::<Job>().list(&ListParams::default()).await;
    jobs.map(|list| list.items).map_err(|error| error.to_string())
}

fn is_suspended(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true)
}

/// Waits until a build's Job has been made, suspended.
async fn await_suspended(fabric: &Fabric) {
    until("a suspended Job", LIMIT, async || {
        let jobs = jobs(fabric).await?;
        if jobs.iter().any(is_suspended) { Ok(()) } else { Err(format!("{} Jobs", jobs.len())) }
    })
    .await
    .unwrap();
}

async fn await_no_jobs(fabric: &Fabric) {
    until("the end of all Jobs", SWEEP, async || {
        let left = jobs(fabric).await?;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await
    .unwrap();
}

#[test]
fn one_whose_launcher_was_killed_before_it_let_it_run_is_built_by_who_waits_for_it() {
    // Shorter than anybody would wait for a Job that never runs.
    let spec = FabricSpec::new("killed-before", &["Org1MSP", "Org2MSP"])
        .say("builds.timeout", json!("2m"));
    on_fabric(&spec, async |_, fabric| {
        let (first, second) = (fabric.peer("Org1MSP"), fabric.peer("Org2MSP"));
        let file = package(fabric, &new_program(fabric, "killed-before"), "killed_1.0");
        let withheld = Withheld::begin(fabric).await;
        let (client, lost) = (PeerClient::clone(first), file.clone());
        let lost = thread::spawn(move || client.install(&lost));
        await_suspended(fabric).await;
        kill_process(launcher_of(first), Signal::KILL).unwrap();
        lost.join().unwrap().unwrap_err();
        drop(withheld);

        second.install(&file).unwrap();
        for part in ["another peer builds this already", ": building here"] {
            second.await_line("peer", &[BUILDER, part], LIMIT).await.unwrap();
        }
        first.install(&file).unwrap();
        let left = jobs(fabric).await.unwrap();
        assert!(!left.iter().any(is_suspended), "{left:?}");
    });
}

#[test]
fn one_for_which_nobody_waits_is_swept_by_the_next_launcher() {
    on_fabric(&one("swept"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let file = package(fabric, &new_program(fabric, "swept"), "swept_1.0");
        let withheld = Withheld::begin(fabric).await;
        let client = PeerClient::clone(peer);
        let lost = thread::spawn(move || client.install(&file));
        await_suspended(fabric).await;
        kill_process(launcher_of(peer), Signal::KILL).unwrap();
        lost.join().unwrap().unwrap_err();
        drop(withheld);
        await_no_jobs(fabric).await;
    });
}

#[test]
fn one_that_goes_on_when_its_launcher_ends_is_ended() {
    on_fabric(&one("launcher-ends"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let file = package(fabric, &new_program(fabric, "launcher-ends"), "ends_1.0");
        let client = PeerClient::clone(peer);
        let install = thread::spawn(move || client.install(&file));
        await_build(fabric).await;
        let launcher = launcher_of(peer);
        kill_process(launcher, Signal::TERM).unwrap();
        install.join().unwrap().unwrap_err();
        peer.await_line("peer", &[BUILDER, "the launcher is stopping"], LIMIT).await.unwrap();
        until("the launcher's end", LIMIT, async || {
            let there = all(|process| process.is_launcher_of(peer)).contains(&launcher);
            if there { Err("it runs".to_owned()) } else { Ok(()) }
        })
        .await
        .unwrap();
        // The next launcher, which would sweep it much later, has no part in this.
        let left = jobs(fabric).await.unwrap();
        assert!(left.is_empty(), "{left:?}");
    });
}
