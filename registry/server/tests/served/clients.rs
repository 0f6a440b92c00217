//! Clients that the registry has: the launcher's, and `crane` for what container runtimes do.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{
    Base, Form, ImagePlan, Layout, Part, ReferrerKind, Tag, assemble, validate,
};
use selvedge_buildpack::platform::Platform;
use selvedge_registry::{Pulled, Registry, RegistryAuth};
use selvedge_registry_server::Rights;
use serde_json::json;
use tempfile::TempDir;
use testbed::go_module::CRANE;
use tokio::task::spawn_blocking;

use crate::served::{NAME, PLENTY, Served};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nQUFB\n-----END CERTIFICATE-----\n";

fn client(served: &Served) -> Registry {
    let auth = RegistryAuth::Basic(served.login.user.to_owned(), served.login.password.clone());
    let repository = format!("{}/selvedge", served.host).parse().unwrap();
    Registry::new(&repository, true, auth).unwrap()
}

/// An image of the launcher's own making.
fn specimen(directory: &Path, tag: &Tag) -> (Layout, Descriptor, Sha256) {
    let images = Layout::create(&directory.join("images")).unwrap();
    let program = directory.join("program");
    fs::write(&program, "#!program\n").unwrap();
    let plan = ImagePlan {
        base: &Base::from_pem(CERTIFICATE).unwrap(),
        form: &Form::program(),
        parts: &[Part::Program(program)],
        source: Sha256::of(b"source"),
        platform: Platform::LinuxAmd64,
    };
    let image = assemble(&plan, &images.scratch()).unwrap();
    let digest = image.digest();
    let image = images.add(image, tag).unwrap();
    (images, image, digest)
}

/// Runs `crane`, logged in, which must succeed; what it printed.
async fn crane(served: &Served, arguments: &[&str]) -> String {
    let config = tempfile::tempdir().unwrap();
    let login = format!("{}:{}", served.login.user, served.login.password);
    let auths = json!({ "auths": { &served.host: { "auth": BASE64_STANDARD.encode(login) } } });
    fs::write(config.path().join("config.json"), auths.to_string()).unwrap();
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let ran = spawn_blocking(move || {
        let crane = CRANE.obtain(&mut |line| eprintln!("{line}")).unwrap().join("crane");
        let mut crane = Command::new(crane);
        crane.args(&arguments).arg("--insecure").env("DOCKER_CONFIG", config.path());
        let done = crane.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{arguments:?}: {said}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    });
    ran.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_launcher_pushes_it_finds_and_nodes_pull() {
    let (directory, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let tag: Tag = "build-1".parse().unwrap();
    let (images, image, digest) = specimen(directory.path(), &tag);
    let pushed = Served::new(PLENTY).await;
    let registry = client(&pushed);
    assert_eq!(registry.find(&tag).await.unwrap(), None);
    for _ in 0..2 {
        registry.push(&images, &image, &tag).await.unwrap();
        assert_eq!(registry.find(&tag).await.unwrap(), Some(digest));
        assert!(registry.holds(digest).await.unwrap());
    }
    let told = images.refer(&image, ReferrerKind::Sbom, b"{}").unwrap();
    registry.refer(&images, digest, &[told]).await.unwrap();
    let kinds: Vec<_> = registry.referrers(digest).await.unwrap();
    assert_eq!(kinds.len(), 1);
    assert_eq!(kinds[0].kind, ReferrerKind::Sbom);

    let pulled = Served::of(pushed.store.clone(), Rights::Pull).await;
    let images = Layout::create(elsewhere.path()).unwrap();
    let found = client(&pulled).pull(digest, &images, &[], 1 << 20).await.unwrap();
    assert!(matches!(found, Pulled::Here(_)), "{found:?}");
    assert_eq!(validate(&images, digest).unwrap(), []);
    let name = format!("{}/{NAME}@{digest}", pulled.host);
    crane(&pulled, &["validate", "--remote", &name]).await;
    let tagged = format!("{}/{NAME}:build-1", pulled.host);
    assert_eq!(crane(&pulled, &["digest", &tagged]).await, digest.to_string());
    let repository = format!("{}/{NAME}", pulled.host);
    assert_eq!(crane(&pulled, &["ls", &repository]).await, "build-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_cuts_blobs_into_pieces_pushes_too() {
    let directory = TempDir::new().unwrap();
    let (images, _, digest) = specimen(directory.path(), &"one".parse().unwrap());
    let served = Served::new(PLENTY).await;
    let name = format!("{}/{NAME}:one", served.host);
    crane(&served, &["push", images.root().to_str().unwrap(), &name]).await;
    crane(&served, &["validate", "--remote", &name]).await;
    assert!(client(&served).holds(digest).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_come_in_pages() {
    let served = Served::new(PLENTY).await;
    for tag in ["b", "c", "a", "d"] {
        served.push_image(b"layer", tag).await;
    }
    let page = async |path: &str| {
        let answer = served.ask_at(Method::GET, path).send().await.unwrap();
        let next = answer.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let body: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(body["name"], NAME);
        (body["tags"].to_string(), next)
    };
    let first = format!("/v2/{NAME}/tags/list?n=3");
    let (tags, next) = page(&first).await;
    assert_eq!(tags, r#"["a","b","c"]"#);
    let next = next.unwrap();
    let next = next.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
    assert_eq!(page(&next).await, (r#"["d"]"#.to_owned(), None));
    assert_eq!(page(&format!("/v2/{NAME}/tags/list?n=0")).await.0, "[]");
}
