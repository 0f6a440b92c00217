//! The specification's own suite: all of it but what is not offered, which is to delete by request, other
//! digests than SHA-256, and images of which a part is nowhere.

use std::collections::BTreeMap;
use std::process::Command;

use selvedge_buildpack::digest::Sha256;
use selvedge_registry_server::Rights;
use testbed::go_module::DISTRIBUTION_CONFORMANCE;
use tokio::task::spawn_blocking;

use crate::served::{NAME, PLENTY, Served};

/// What is not offered.
const NOT_OFFERED: [(&str, &str); 5] = [
    ("OCI_API_BLOBS_DELETE", "false"),
    ("OCI_API_MANIFESTS_DELETE", "false"),
    ("OCI_API_TAGS_DELETE", "false"),
    ("OCI_DATA_SHA512", "false"),
    ("OCI_DATA_NONDISTRIBUTABLE", "false"),
];

/// Runs the suite, which must pass; how many tests had which outcome.
async fn conformance(served: &Served, settings: &[(&str, &str)]) -> BTreeMap<String, usize> {
    let program = spawn_blocking(|| {
        DISTRIBUTION_CONFORMANCE
            .obtain(&mut |line| eprintln!("{line}"))
            .unwrap()
            .join("conformance")
    });
    let results = tempfile::tempdir().unwrap();
    let mut suite = Command::new(program.await.unwrap());
    suite.current_dir(results.path()).env_clear();
    suite.envs([
        ("OCI_REGISTRY", served.host.as_str()),
        ("OCI_TLS", "disabled"),
        ("OCI_REPO1", NAME),
        // There is one repository.
        ("OCI_REPO2", NAME),
        ("OCI_USERNAME", served.login.user),
        ("OCI_PASSWORD", &served.login.password),
        ("OCI_VERSION", "1.1"),
    ]);
    suite.envs(NOT_OFFERED).envs(settings.iter().copied());
    let done = spawn_blocking(move || suite.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    // Not by its exit code: where nobody may push it ends with a nil pointer once all is told.
    let passed = said.contains("\nOCI Conformance Result: Pass\n");
    assert!(passed, "{said}{}", String::from_utf8_lossy(&done.stderr));
    outcomes(&said)
}

/// By the report's lines `  Pass........: 12`, which follow the result.
fn outcomes(report: &str) -> BTreeMap<String, usize> {
    let lines = report.lines().skip_while(|line| !line.starts_with("OCI Conformance Result"));
    let counts = lines.skip(1).map_while(|line| {
        let (name, count) = line.trim().split_once(':')?;
        Some((name.trim_end_matches('.').to_owned(), count.trim().parse().ok()?))
    });
    counts.collect()
}

/// All that was run passed, and that was not next to nothing.
#[track_caller]
fn passed(outcomes: &BTreeMap<String, usize>, at_least: usize) {
    let of = |outcome: &str| outcomes.get(outcome).copied().unwrap_or_default();
    let bad = of("FAIL") + of("Error") + of("Skip");
    assert!(bad == 0 && of("Pass") >= at_least, "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_specifications_suite_passes() {
    let served = Served::new(PLENTY).await;
    passed(&conformance(&served, &[("OCI_API_BLOBS_UPLOAD_CANCEL", "true")]).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_passes_where_nobody_may_push_too() {
    let pushed = Served::new(PLENTY).await;
    let image = pushed.push_image(b"layer", "one").await.to_string();
    pushed.push_image(b"another", "other").await;
    let served = Served::of(pushed.store.clone(), Rights::Pull).await;
    let layer = Sha256::of(b"layer").to_string();
    let there = [
        ("OCI_API_PUSH", "false"),
        ("OCI_RO_DATA_TAGS", "one other"),
        ("OCI_RO_DATA_MANIFESTS", &image),
        ("OCI_RO_DATA_BLOBS", &layer),
        ("OCI_RO_DATA_REFERRERS", &image),
    ];
    passed(&conformance(&served, &there).await, 10);
}
