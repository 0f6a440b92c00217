//! The manifests of a build, held by golden files.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use selvedge_buildpack::image::BuildKeyInputs;
use selvedge_config::Operator;
use serde::Serialize;

use super::*;

/// A manifest is what its file has.
#[track_caller]
fn golden(name: &str, object: &impl Serialize) {
    golden::golden(format!("tests/golden/{name}"), object);
}

/// What a file says of builds that has this text below `builds`.
pub(in super::super) fn settings(builds: &str) -> Builds {
    let text = format!("apiVersion: selvedge/v1\nbackend: kubernetes\nbuilds:\n{builds}");
    let operator = Operator::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    operator.builds().clone()
}

pub(in super::super) fn order(settings: &Builds) -> BuildOrder<'_> {
    let key = BuildKey::new(&BuildKeyInputs {
        source: Sha256::of(b"source"),
        recipe: &[],
        toolchain: "golang:1",
        base: Sha256::of(b"base"),
        platform: Platform::LinuxAmd64,
    });
    BuildOrder {
        namespace: "chaincode",
        key,
        source: Sha256::of(b"source"),
        certificates: Sha256::of(b"certificates"),
        language: Language::Golang,
        path: "example.com/asset",
        platform: Platform::LinuxAmd64,
        toolchain: &settings.toolchains.go.image,
        is_fetched: true,
        mirror: None,
        launcher_image: "registry.example.com/selvedge/launcher:0.1.0",
        begun_by: "7d9c",
        alive_at: "2026-11-21T01:00:00Z",
        attempt: "0a1b2c3d",
        pull_secrets: &[],
        limit: 600,
        settings,
    }
}

/// The Job as the API gives it back.
fn created(mut job: Job) -> Job {
    job.metadata.uid = Some("c0ffee".to_owned());
    job
}

const NAME_SERVERS: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::new(10, 96, 0, 10))];

/// What a build with these settings reaches.
pub(in super::super) fn reach<'a>(
    settings: &'a Builds,
    labels: &'a BTreeMap<String, String>,
    api_server: &'a [IpAddr],
) -> Reach<'a> {
    Reach {
        launcher: SocketAddr::new([10, 1, 2, 3].into(), 7059),
        namespace: "org1",
        labels,
        name_servers: &NAME_SERVERS,
        api_server,
        except: &settings.egress.except,
        allow: &settings.egress.allow,
    }
}

#[test]
fn golden_build() {
    let settings = settings("  toolchains: {go: {image: 'golang:1'}}\n");
    let order = order(&settings);
    let job = created(order.job());
    golden("build-job.yaml", &order.job());
    golden("build-secret.yaml", &order.secret(&job, "http://10.1.2.3:7059/0f1e2d"));
    let api_server = [[10, 96, 0, 1].into(), [203, 0, 113, 9].into()];
    let labels = [("app".to_owned(), "peer0".to_owned())].into();
    let reach = reach(&settings, &labels, &api_server);
    golden("build-network-policy.yaml", &order.policy(&job, &reach));
}

#[test]
fn golden_build_with_everything_set() {
    let settings = settings(
        "  toolchains: {go: {image: 'golang:1'}}
  resources: {requests: {cpu: 500m, memory: 1Gi}, limits: {cpu: 2, memory: 1Gi}}
  disk: 2Gi
  environment: {GOPROXY: 'https://proxy.example.com,direct', NO_PROXY: '.svc,10.0.0.0/8'}
  caBundle: {configMap: company-authorities}
  cache: {claim: dependencies, limit: 2GiB}
  credentials: {secret: modules}
  egress: {except: [203.0.113.0/24], allow: [10.20.0.0/16, 100.64.0.0/10]}
",
    );
    let pull_secrets = ["pull", "company"].map(str::to_owned);
    let order = BuildOrder { pull_secrets: &pull_secrets, ..order(&settings) };
    golden("build-job-set.yaml", &order.job());
    let labels = BTreeMap::new();
    let policy = order.policy(&created(order.job()), &reach(&settings, &labels, &[]));
    golden("build-network-policy-set.yaml", &policy);
}

#[test]
fn golden_build_with_a_mirror() {
    let settings = settings(
        "  toolchains: {java: {image: 'maven:3'}}
  environment: {HTTPS_PROXY: 'http://proxy:3128', MAVEN_ARGS: -X, MVNW_REPOURL: 'https://m.example'}
  caBundle: {configMap: company-authorities}
  cache: {claim: dependencies, limit: 2GiB}
  credentials: {secret: repositories}
",
    );
    let order = BuildOrder {
        language: Language::Java,
        toolchain: &settings.toolchains.java.image,
        is_fetched: false,
        mirror: Language::Java.mirror(),
        ..order(&settings)
    };
    golden("build-job-mirror.yaml", &order.job());
}

#[test]
fn names_are_kubernetes_names() {
    let settings = settings("  {}\n");
    let order = order(&settings);
    let job = created(order.job());
    let secret = order.secret(&job, "http://x");
    let (job, secret) = (job.metadata.name.unwrap(), secret.metadata.name.unwrap());
    // A pod's name is its Job's with a dash and five more characters.
    assert!(job.len() + 6 <= 63 && secret.len() <= 63, "{job} {secret}");
    assert!(secret.starts_with(&job));
}
