//! Builds without a cluster: the real program that a Job runs, the real handover, a real compiler
//! and a real registry; only Kubernetes between them is missing.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Parser;
use oci_client::secrets::RegistryAuth;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{
    Base, Form, ImagePlan, Layout, Origin, Part, Tag, assemble, ca_bundle_path,
};
use selvedge_buildpack::language::Language;
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::recipe::{Workplace, carry_out};
use selvedge_buildpack::source::Source;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::handover::{Handover, Offer, Ticket};
use super::judge::{Rejected, judge};
use crate::build_job::{self, Outcome};
use crate::settings::{Command, Settings};
use selvedge_registry::{Registry, Repository};
use testbed::registry::Access;
use testbed::temporary_registry::{TemporaryRegistry, crane};

const MODULE: &str = "selvedge.example/greeter";

const GREETER: &[(&str, &str)] = &[
    ("src/go.mod", "module selvedge.example/greeter\n\ngo 1.21\n"),
    ("src/main.go", "package main\n\nfunc main() { println(\"hello\") }\n"),
];

/// Everything that a build meets, but Kubernetes.
struct Scene {
    directory: TempDir,
    handover: Handover,
    source: Source,
    digest: Sha256,
    certificates: Bytes,
    base: Base,
    platform: Platform,
}

impl Scene {
    async fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("source");
        for (path, content) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let source = Source::open(&root).unwrap();
        let bundle = ca_bundle_path(std::env::var_os("SSL_CERT_FILE")).unwrap();
        let loopback = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            digest: source.digest().unwrap(),
            source,
            certificates: fs::read(&bundle).unwrap().into(),
            base: Base::open(&bundle).unwrap(),
            handover: Handover::open(loopback).await.unwrap(),
            platform: Platform::host().unwrap(),
            directory,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn upload(&self) -> PathBuf {
        self.path("upload.tar")
    }

    /// The address of a build of this source.
    fn ticket(&self) -> Ticket {
        self.ticket_for(1)
    }

    /// The same for as many containers as take the source.
    fn ticket_for(&self, takers: usize) -> Ticket {
        let tar = self.path("source.tar");
        self.source.write_tar(fs::File::create(&tar).unwrap()).unwrap();
        let certificates = self.certificates.clone();
        let offer = Offer { certificates, source: tar, takers, upload: self.upload() };
        self.handover.offer(offer).unwrap()
    }

    fn url(&self, ticket: &Ticket) -> String {
        format!("http://127.0.0.1:{}{}", self.handover.port(), ticket.path())
    }

    /// Runs what a Job runs, with the arguments that its manifest would have.
    async fn run_job(&self, url: &str, source: Sha256) -> Outcome {
        self.run_part("build-job", url, source, &[]).await
    }

    async fn run_part(&self, part: &str, url: &str, source: Sha256, more: &[String]) -> Outcome {
        let work = self.path(&format!("work-of-{part}"));
        fs::create_dir(&work).unwrap();
        let outcome = self.path("outcome");
        let arguments = [
            "selvedge-launcher".to_owned(),
            part.to_owned(),
            format!("--url={url}"),
            format!("--source={source}"),
            format!("--certificates={}", Sha256::of(&self.certificates)),
            "--language=golang".to_owned(),
            format!("--path={MODULE}"),
            format!("--platform={}", self.platform),
            format!("--work={}", work.display()),
            format!("--outcome={}", outcome.display()),
        ];
        let arguments = arguments.iter().chain(more);
        match Settings::parse_from(arguments).command {
            Some(Command::BuildJob(job)) => {
                spawn_blocking(move || build_job::run(&job)).await.unwrap();
            }
            Some(Command::FetchJob(job)) => {
                spawn_blocking(move || build_job::run_fetch(&job)).await.unwrap();
            }
            other => panic!("{other:?}"),
        }
        serde_json::from_slice(&fs::read(outcome).unwrap()).unwrap()
    }

    fn origin(&self) -> Origin {
        let base = self.base.diff_id().unwrap();
        Origin { base, source: self.digest, form: Form::program(), platform: self.platform }
    }

    fn judge(&self) -> Result<(Layout, Descriptor), Rejected> {
        judge(&self.upload(), &self.path("judged"), &self.origin())
    }

    /// An image that somebody made by other means, as it would be handed over.
    fn forge(&self, base: &Base, source: Sha256) {
        let images = Layout::create(&self.path("forged")).unwrap();
        let program = self.path("program");
        fs::write(&program, "#!program\n").unwrap();
        let (form, parts) = (Form::program(), [Part::Program(program)]);
        let plan = ImagePlan { base, form: &form, parts: &parts, source, platform: self.platform };
        let image = assemble(&plan, &images.scratch()).unwrap();
        let tag: Tag = "image".parse().unwrap();
        images.add(image, &tag).unwrap();
        self.pack(&images);
    }

    fn pack(&self, images: &Layout) {
        let upload = fs::File::create(self.upload()).unwrap();
        build_job::pack(images, upload).unwrap();
    }
}

/// What the local backend makes of the source, by the same plan and assembly. Not by the backend
/// itself, which starts compilers by way of the launcher's executable, and a test is none.
fn local_digest(scene: &Scene) -> Sha256 {
    let output = scene.path("output");
    fs::create_dir(&output).unwrap();
    let place = Workplace { source: scene.source.root(), output: &output };
    let recipe = Language::Golang.recipe(&scene.source, MODULE, scene.platform).unwrap();
    let toolchain = Language::Golang.toolchain(std::env::vars_os(), &scene.path("tools")).unwrap();
    let made =
        pollster::block_on(carry_out(&*recipe, &toolchain, &place, &mut build_job::PodWorkshop));
    let (parts, form) = (made.unwrap(), recipe.form());
    let (base, source, platform) = (&scene.base, scene.digest, scene.platform);
    let plan = ImagePlan { base, form: &form, parts: &parts, source, platform };
    assemble(&plan, scene.directory.path()).unwrap().digest()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_elsewhere_makes_the_image_that_a_build_here_makes() {
    let scene = Scene::new(GREETER).await;
    let server = TemporaryRegistry::start(Access::Open);
    let repository: Repository = format!("{}/selvedge", server.host()).parse().unwrap();
    let registry = Registry::new(&repository, true, RegistryAuth::Anonymous).unwrap();
    let tag: Tag = "build-1".parse().unwrap();

    let mut ticket = scene.ticket();
    let url = scene.url(&ticket);
    let taken = async {
        let upload = ticket.upload().await;
        let (images, image) = scene.judge().unwrap();
        registry.push(&images, &image, &tag).await.unwrap();
        upload.answer(Ok(()));
    };
    let (outcome, ()) = tokio::join!(scene.run_job(&url, scene.digest), taken);

    let pushed = registry.find(&tag).await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Image(pushed));
    assert_eq!(pushed, local_digest(&scene));
    crane(&["validate", "--remote", &format!("{repository}@{pushed}")]);
}

/// What was fetched and compiled ahead is taken, and decides nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_others_share_their_dependencies_with_makes_the_same_image() {
    let scene = Scene::new(GREETER).await;
    let shared = scene.path("shared");
    let more = [format!("--dependencies={}", shared.display()), "--toolchain=go".to_owned()];
    let mut ticket = scene.ticket_for(2);
    let url = scene.url(&ticket);
    let limit = [&more[..], &["--limit=1000000000".to_owned()]].concat();
    let outcome = scene.run_part("fetch-job", &url, scene.digest, &limit).await;
    assert_eq!(outcome, Outcome::Fetched);
    let compiled = shared.join("go/builds");
    assert_eq!(fs::read_dir(&compiled).unwrap().count(), 1);

    let taken = async {
        let upload = ticket.upload().await;
        scene.judge().unwrap();
        upload.answer(Ok(()));
    };
    let built = scene.run_part("build-job", &url, scene.digest, &more);
    let (outcome, ()) = tokio::join!(built, taken);
    assert_eq!(outcome, Outcome::Image(local_digest(&scene)));
    let own = scene.path("work-of-build-job").join("fetched/builds");
    let entries = |place: PathBuf| fs::read_dir(place).into_iter().flatten().map(Result::unwrap);
    let mut taken = entries(own).flat_map(|directory| entries(directory.path()));
    assert!(taken.any(|entry| entry.file_type().unwrap().is_symlink()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_not_the_one_meant() {
    let scene = Scene::new(GREETER).await;
    let ticket = scene.ticket();
    let meant = Sha256::of(b"another");
    let outcome = scene.run_job(&scene.url(&ticket), meant).await;
    let expected = format!(
        "the source that the launcher sent has the digest {} instead of {meant}",
        scene.digest
    );
    assert_eq!(outcome, Outcome::Failed(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_does_not_compile() {
    let broken = "package main\n\nfunc main() { missing() }\n";
    let scene = Scene::new(&[GREETER[0], ("src/main.go", broken)]).await;
    let ticket = scene.ticket();
    let outcome = scene.run_job(&scene.url(&ticket), scene.digest).await;
    let Outcome::Compile(lines) = outcome else { panic!("{outcome:?}") };
    assert_eq!(lines, ["./main.go:3:15: undefined: missing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_the_launcher_does_not_take() {
    let scene = Scene::new(GREETER).await;
    let mut ticket = scene.ticket();
    let url = scene.url(&ticket);
    let refused = async {
        let upload = ticket.upload().await;
        upload.answer(Err("the registry is down".to_owned()));
    };
    let (outcome, ()) = tokio::join!(scene.run_job(&url, scene.digest), refused);
    let Outcome::Failed(reason) = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("the registry is down"), "{reason}");
    assert!(!reason.contains(ticket.path()), "the address is a secret: {reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_good_for_one_use_and_one_build() {
    let scene = Scene::new(GREETER).await;
    let ticket = scene.ticket();
    let url = scene.url(&ticket);
    crate::tls::choose_provider();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = async |address: String| {
        let answer = client.get(address).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let put = async |content: &'static str| {
        client
            .put(format!("{url}/image"))
            .body(content)
            .send()
            .await
            .map(|answer| answer.status().as_u16())
    };

    let stranger = format!("http://127.0.0.1:{}/{}/source", scene.handover.port(), "0".repeat(64));
    assert_eq!(get(stranger).await.0, 404);
    assert_eq!(get(format!("{url}/secrets")).await.0, 404);
    assert_eq!(get(format!("{url}/image")).await.0, 404);
    for part in ["certificates", "source"] {
        let (status, content) = get(format!("{url}/{part}")).await;
        assert!(status == 200 && !content.is_empty(), "{part}: {status}");
        let again = get(format!("{url}/{part}")).await;
        assert_eq!(again, (410, "this address was used already".to_owned()), "{part}");
    }
    // The first is waiting for its answer while the second is refused.
    let waiting = tokio::spawn({
        let (client, url) = (client.clone(), url.clone());
        async move {
            client.put(format!("{url}/image")).body("one").send().await.unwrap().status().as_u16()
        }
    });
    let mut ticket = ticket;
    let upload = ticket.upload().await;
    assert_eq!(fs::read(scene.upload()).unwrap(), b"one");
    assert_eq!(put("two").await.unwrap(), 410);
    assert_eq!(fs::read(scene.upload()).unwrap(), b"one");
    // With the build, its address ends, also for who is being served.
    drop(ticket);
    assert_eq!(waiting.await.unwrap(), 410);
    assert_eq!(get(format!("{url}/source")).await.0, 404);
    upload.answer(Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_build_its_download_ends() {
    let scene = Scene::new(GREETER).await;
    // More than fits into any socket's buffers.
    let size = 256 << 20;
    let large = scene.path("large");
    fs::File::create(&large).unwrap().set_len(size).unwrap();
    let certificates = scene.certificates.clone();
    let offer = Offer { certificates, source: large, takers: 1, upload: scene.upload() };
    let ticket = scene.handover.offer(offer).unwrap();
    crate::tls::choose_provider();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut answer = client.get(format!("{}/source", scene.url(&ticket))).send().await.unwrap();
    answer.chunk().await.unwrap().unwrap();
    drop(ticket);
    let mut rest = 0;
    let broken = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => rest += chunk.len() as u64,
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken, "all of it came: {rest} bytes after the build's end");
}

#[tokio::test]
async fn only_what_the_source_makes_is_taken() {
    let scene = Scene::new(GREETER).await;
    let judged = |scene: &Scene| {
        let judged = scene.judge();
        fs::remove_dir_all(scene.path("judged")).unwrap();
        let _ = fs::remove_dir_all(scene.path("forged"));
        judged
    };

    scene.forge(&scene.base, scene.digest);
    judged(&scene).unwrap();

    let pem = "-----BEGIN CERTIFICATE-----\nQUFB\n-----END CERTIFICATE-----\n";
    scene.forge(&Base::from_pem(pem).unwrap(), scene.digest);
    assert!(matches!(judged(&scene), Err(Rejected::Origin)), "another base");
    scene.forge(&scene.base, Sha256::of(b"another"));
    assert!(matches!(judged(&scene), Err(Rejected::Origin)), "another source");

    scene.forge(&scene.base, scene.digest);
    let images = Layout::create(&scene.path("forged")).unwrap();
    tamper(&images);
    scene.pack(&images);
    let faulty = judged(&scene);
    assert!(matches!(faulty, Err(Rejected::Faulty { .. })), "{faulty:?}");

    scene.pack(&Layout::create(&scene.path("forged")).unwrap());
    assert!(matches!(judged(&scene), Err(Rejected::Number(0))));
    fs::write(scene.upload(), "no archive").unwrap();
    assert!(matches!(judged(&scene), Err(Rejected::Archive(_))));
}

/// Changes a byte of the configuration.
fn tamper(images: &Layout) {
    let image = images.images().unwrap().remove(0);
    let config = images.manifest(&image).unwrap();
    let digest = selvedge_buildpack::image::sha256(config.config()).unwrap();
    let path: &Path = &images.blob_path(digest);
    let mut content = fs::read(path).unwrap();
    *content.last_mut().unwrap() = b' ';
    fs::write(path, content).unwrap();
}

#[test]
fn the_program_copies_itself() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("copy");
    build_job::copy_self(&build_job::CopySelf { to: to.clone() }).unwrap();
    assert_eq!(fs::read("/proc/self/exe").unwrap(), fs::read(to).unwrap());
}

#[test]
fn a_job_without_an_address_says_so() {
    let parsed = Settings::try_parse_from(["selvedge-launcher", "build-job"]);
    let error = parsed.unwrap_err().to_string();
    assert!(error.contains("--url"), "{error}");
}
