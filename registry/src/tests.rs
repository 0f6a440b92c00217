//! The client before a real registry, Debian's docker-registry, with `crane` as second opinion;
//! and before servers that answer as no registry should.

mod broken;
mod presence;
mod referring;

use std::fs;

use oci_client::secrets::RegistryAuth;
use selvedge_buildpack::image::{Base, Form, ImagePlan, Origin, Part, assemble, validate};
use selvedge_buildpack::platform::Platform;
use tempfile::TempDir;

use testbed::registry::{Access, PASSWORD, USER};
use testbed::temporary_registry::{TemporaryRegistry, crane};

use super::*;
use broken::{broken, endless, endless_but};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nQUFB\n-----END CERTIFICATE-----\n";

/// An image in a layout.
struct Specimen {
    _directory: TempDir,
    images: Layout,
    image: Descriptor,
    digest: Sha256,
}

impl Specimen {
    fn new(program: &str) -> Self {
        Self::of(program, Platform::LinuxAmd64)
    }

    fn of(program: &str, platform: Platform) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let images = Layout::create(&directory.path().join("images")).unwrap();
        let file = directory.path().join("program");
        fs::write(&file, program).unwrap();
        let plan = ImagePlan {
            base: &Base::from_pem(CERTIFICATE).unwrap(),
            form: &Form::program(),
            parts: &[Part::Program(file)],
            source: Sha256::of(b"source"),
            platform,
        };
        let image = assemble(&plan, &images.scratch()).unwrap();
        let digest = image.digest();
        let image = images.add(image, &tag()).unwrap();
        Self { _directory: directory, images, image, digest }
    }
}

fn tag() -> Tag {
    "build-1".parse().unwrap()
}

fn registry(host: &str, plain_http: bool, auth: RegistryAuth) -> Registry {
    let repository = format!("{host}/selvedge").parse().unwrap();
    Registry::new(&repository, plain_http, auth).unwrap()
}

fn anonymous(host: &str) -> Registry {
    registry(host, true, RegistryAuth::Anonymous)
}

/// An error with its causes.
fn line(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_is_found_and_whole() {
    let server = TemporaryRegistry::start(Access::Open);
    let registry = anonymous(server.host());
    let specimen = Specimen::new("#!program\n");
    assert_eq!(registry.find(&tag()).await.unwrap(), None);
    assert!(!registry.holds(specimen.digest).await.unwrap());

    for _ in 0..2 {
        registry.push(&specimen.images, &specimen.image, &tag()).await.unwrap();
        assert_eq!(registry.find(&tag()).await.unwrap(), Some(specimen.digest));
    }
    assert!(registry.holds(specimen.digest).await.unwrap());
    assert!(!registry.holds(Sha256::of(b"another")).await.unwrap());

    let image = format!("{}/selvedge/chaincode@{}", server.host(), specimen.digest);
    crane(&["validate", "--remote", &image]);
    let tagged = format!("{}/selvedge/chaincode:{}", server.host(), tag());
    assert_eq!(crane(&["digest", &tagged]), specimen.digest.to_string());

    let later = Specimen::new("#!another program\n");
    registry.push(&later.images, &later.image, &tag()).await.unwrap();
    assert_eq!(registry.find(&tag()).await.unwrap(), Some(later.digest), "the tag moved");
    assert!(registry.holds(specimen.digest).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cleared_away_is_not_there() {
    let server = TemporaryRegistry::start(Access::Open);
    let registry = anonymous(server.host());
    let specimen = Specimen::new("#!program\n");
    registry.push(&specimen.images, &specimen.image, &tag()).await.unwrap();
    let manifest = specimen.images.manifest(&specimen.image).unwrap();
    server.lose(manifest.layers()[1].digest().as_ref());
    assert_eq!(registry.find(&tag()).await.unwrap(), None);
    assert!(!registry.holds(specimen.digest).await.unwrap());
    // It is whole again once it was pushed again.
    registry.push(&specimen.images, &specimen.image, &tag()).await.unwrap();
    assert_eq!(registry.find(&tag()).await.unwrap(), Some(specimen.digest));

    let image = format!("{}/selvedge/chaincode@{}", server.host(), specimen.digest);
    crane(&["delete", &image]);
    assert_eq!(registry.find(&tag()).await.unwrap(), None);
    assert!(!registry.holds(specimen.digest).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pulled_is_what_was_pushed_and_no_more_than_may_be() {
    let server = TemporaryRegistry::start(Access::Open);
    let registry = anonymous(server.host());
    let specimen = Specimen::new("#!program\n");
    registry.push(&specimen.images, &specimen.image, &tag()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let images = Layout::create(directory.path()).unwrap();
    let few = registry.pull(specimen.digest, &images, &[], 100).await.unwrap();
    assert_eq!(few, Pulled::Unfit);
    let pulled = registry.pull(specimen.digest, &images, &[], 1 << 20).await.unwrap();
    let Pulled::Here(image) = pulled else { panic!("{pulled:?}") };
    assert_eq!(sha256(&image), Some(specimen.digest));
    assert_eq!(validate(&images, specimen.digest).unwrap(), []);
    let absent = registry.pull(Sha256::of(b"absent"), &images, &[], 1 << 20).await;
    assert!(absent.is_err(), "{absent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_on_a_runtime_is_pushed_and_found() {
    let server = TemporaryRegistry::start(Access::Open);
    let below = Specimen::new("#!runtime\n");
    let repository = format!("{}/runtimes", server.host()).parse().unwrap();
    let elsewhere = Registry::new(&repository, true, RegistryAuth::Anonymous).unwrap();
    elsewhere.push(&below.images, &below.image, &tag()).await.unwrap();
    let name = format!("{}/runtimes/chaincode:build-1", server.host());
    let (auth, platform) = (RegistryAuth::Anonymous, Platform::LinuxAmd64);
    let read = RuntimeImage::read(&name, true, auth, platform).await.unwrap();
    assert_eq!(read.digest, below.digest.to_string());
    assert_eq!(read.libc().await.unwrap(), None);

    let registry = anonymous(server.host());
    let specimen = Specimen::new("#!program\n");
    registry.copy(&read).await.unwrap();
    let whole = read.runtime.below(&specimen.images, &specimen.image).unwrap();
    registry.push(&specimen.images, &whole, &tag()).await.unwrap();
    let found = registry.find(&tag()).await.unwrap().unwrap();
    crane(&["validate", "--remote", &format!("{}/selvedge/chaincode@{found}", server.host())]);

    let directory = tempfile::tempdir().unwrap();
    let images = Layout::create(directory.path()).unwrap();
    let layers = read.runtime.layers();
    let pulled = registry.pull(found, &images, layers, 1 << 20).await.unwrap();
    let Pulled::Here(image) = pulled else { panic!("{pulled:?}") };
    assert!(images.open_blob(sha256(&layers[1]).unwrap()).is_err(), "the runtime's was fetched");
    let origin = Origin {
        base: Base::from_pem(CERTIFICATE).unwrap().diff_id().unwrap(),
        source: Sha256::of(b"source"),
        form: Form::program(),
        platform,
    };
    let lifted = read.runtime.lifted(&images, &image, &origin).unwrap().unwrap();
    assert_eq!(sha256(&lifted), Some(specimen.digest));
    assert_eq!(validate(&images, specimen.digest).unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_that_is_not_there() {
    let server = TemporaryRegistry::start(Access::Open);
    let name = format!("{}/runtimes/node:1", server.host());
    let read = RuntimeImage::read(&name, true, RegistryAuth::Anonymous, Platform::LinuxAmd64).await;
    let told = line(read.map(drop).unwrap_err());
    assert!(told.starts_with(&format!("the registry of the image {name} does not tell")), "{told}");
}

/// What a registry says that never stops sending is no more read than any other.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_end() {
    let beginning = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let server = endless(beginning).await;
    let found = line(anonymous(&server.host).find(&tag()).await.unwrap_err());
    assert!(found.contains("sends more than 4"), "{found}");

    let platform = Platform::LinuxAmd64;
    let read = async |host: &str| {
        let name = format!("{host}/runtimes/node:1");
        let read = RuntimeImage::read(&name, true, RegistryAuth::Anonymous, platform).await;
        line(read.map(drop).unwrap_err())
    };
    let told = read(&server.host).await;
    assert!(told.contains("sends more than 4"), "{told}");
    let blob = |kind: &str| {
        let digest = Sha256::of(kind.as_bytes());
        format!("{{\"mediaType\":\"{kind}\",\"size\":1,\"digest\":\"{digest}\"}}")
    };
    let config = blob("application/vnd.oci.image.config.v1+json");
    let manifest = format!("{{\"schemaVersion\":2,\"config\":{config},\"layers\":[]}}");
    let server = endless_but(beginning, "/manifests/", &manifest).await;
    let told = read(&server.host).await;
    assert!(told.contains("sends more than 4"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials() {
    let server = TemporaryRegistry::start(Access::Password);
    let specimen = Specimen::new("#!program\n");
    let basic = |password: &str| RegistryAuth::Basic(USER.to_owned(), password.to_owned());

    let registry_of = |auth| registry(server.host(), true, auth);
    let good = registry_of(basic(PASSWORD));
    assert_eq!(good.find(&tag()).await.unwrap(), None);
    good.push(&specimen.images, &specimen.image, &tag()).await.unwrap();
    assert_eq!(good.find(&tag()).await.unwrap(), Some(specimen.digest));

    for (auth, given) in
        [(basic("wrong"), "as the Secret has them"), (RegistryAuth::Anonymous, "none were given")]
    {
        let refused = registry_of(auth);
        let pushed = refused.push(&specimen.images, &specimen.image, &tag()).await;
        let expected = format!(
            "the registry {} refused the credentials for selvedge/chaincode ({given}; \
             registry.secret)",
            server.host()
        );
        assert_eq!(line(pushed.unwrap_err()), expected);
        assert_eq!(line(refused.find(&tag()).await.unwrap_err()), expected);
        assert_eq!(line(refused.holds(specimen.digest).await.unwrap_err()), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_down() {
    let mut server = TemporaryRegistry::start(Access::Open);
    let registry = anonymous(server.host());
    server.stop();
    let found = line(registry.find(&tag()).await.unwrap_err());
    let expected = format!("cannot reach the registry {} over plain HTTP", server.host());
    assert!(found.starts_with(&expected) && found.contains("refused"), "{found}");
    let specimen = Specimen::new("#!program\n");
    let pushed = registry.push(&specimen.images, &specimen.image, &tag()).await;
    assert!(matches!(pushed, Err(RegistryError::Unreachable { .. })), "{pushed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_only_when_told() {
    let server = TemporaryRegistry::start(Access::Open);
    let registry = registry(server.host(), false, RegistryAuth::Anonymous);
    let found = line(registry.find(&tag()).await.unwrap_err());
    let expected = format!("cannot reach the registry {} over HTTPS", server.host());
    assert!(found.starts_with(&expected), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_no_registry_should_give() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"schemaVersion\":2,";
    let no_image = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]";
    let other = format!(
        "HTTP/1.1 200 OK\r\nDocker-Content-Digest: {}\r\nContent-Length: 2\r\n\r\n{{}}",
        Sha256::of(b"other")
    );
    let trouble = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
    let silence = "";
    for (answer, reason) in [
        (half, "gave no sound answer for"),
        (no_image, "has something else than an image as"),
        (&other, "has something else than an image as"),
        (trouble, "busy"),
        (silence, "gave no sound answer for"),
    ] {
        let server = broken(answer).await;
        let registry = anonymous(&server.host);
        let found = line(registry.find(&tag()).await.unwrap_err());
        assert!(found.contains(reason) && found.contains(&server.host), "{found}");
        let specimen = Specimen::new("#!program\n");
        let pushed = registry.push(&specimen.images, &specimen.image, &tag()).await;
        assert!(pushed.is_err(), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_is_what_it_is_now_and_a_digest_is_itself() {
    let server = TemporaryRegistry::start(Access::Open);
    let images = anonymous(server.host());
    let name = format!("{}/selvedge/chaincode:build-1", server.host()).parse().unwrap();
    let resolved = async || resolve(&name, true, &RegistryAuth::Anonymous).await;
    for program in ["one", "another"] {
        let specimen = Specimen::new(program);
        images.push(&specimen.images, &specimen.image, &tag()).await.unwrap();
        assert_eq!(resolved().await.unwrap(), specimen.digest);
    }
    drop(server);
    let error = line(resolved().await.unwrap_err());
    assert!(error.starts_with("the registry 127.0.0.1:"), "{error}");
    assert!(error.contains("does not tell: "), "{error}");
    let digest = Sha256::of(b"image");
    let fixed = name.clone_with_digest(digest.to_string());
    assert_eq!(resolve(&fixed, true, &RegistryAuth::Anonymous).await.unwrap(), digest);
}
