//! Images that somebody else made, in a real registry; only Kubernetes is a mock.

use oci_client::secrets::RegistryAuth;
use selvedge_buildpack::content::PackageContent;
use selvedge_buildpack::image::{Base, Form, ImagePlan, Layout, Part, assemble};
use selvedge_buildpack::language::Language;
use selvedge_buildpack::named_image::NamedImage;
use selvedge_buildpack::platform::Platform;
use tempfile::TempDir;

use super::found_tests::builds;
use super::*;
use crate::backend::Sighting;
use crate::data::DataDirectory;
use crate::image_reference::image_reference;
use selvedge_registry::Registry;
use testbed::registry::Access;
use testbed::temporary_registry::TemporaryRegistry;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nQUFB\n-----END CERTIFICATE-----\n";

/// A launcher beside a registry.
struct Scene {
    directory: TempDir,
    server: TemporaryRegistry,
    builds: Builds,
}

impl Scene {
    /// What is named by `ghcr.io` is fetched from the registry.
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = TemporaryRegistry::start(Access::Open);
        let data = DataDirectory::open(&directory.path().join("data")).unwrap();
        let rewrites = format!(
            "rewrites: [{{from: ghcr.io, to: {}/selvedge}}, {{from: gone.example.com, to: \
             127.0.0.1:1}}]",
            server.host()
        );
        let builds = builds(&server, &data, &rewrites, "timeout: 1m").await;
        Self { directory, server, builds }
    }

    /// Pushes an image for a platform as `chaincode`; its digest.
    async fn push(&self, platform: Platform) -> Sha256 {
        let images = Layout::create(&self.directory.path().join(platform.architecture())).unwrap();
        let program = self.directory.path().join("program");
        std::fs::write(&program, "#!program\n").unwrap();
        let base = Base::from_pem(CERTIFICATE).unwrap();
        let source = Sha256::of(b"source");
        let (form, parts) = (Form::program(), [Part::Program(program)]);
        let plan = ImagePlan { base: &base, form: &form, parts: &parts, source, platform };
        let image = assemble(&plan, &images.scratch()).unwrap();
        let (digest, tag) = (image.digest(), platform.architecture().parse().unwrap());
        let image = images.add(image, &tag).unwrap();
        let repository = format!("{}/selvedge", self.server.host()).parse().unwrap();
        let registry = Registry::new(&repository, true, RegistryAuth::Anonymous).unwrap();
        registry.push(&images, &image, &tag).await.unwrap();
        digest
    }

    async fn find(&self, name: &str, digest: Sha256) -> Result<Sighting, String> {
        let image = NamedImage::new(name, &digest.to_string()).unwrap();
        self.builds.find(&image).await.map_err(|error| error.to_string())
    }
}

/// That an image of the scene was seen.
fn seen() -> Sighting {
    Sighting::Seen(Some(Form::program().command()))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_line_names_image_registry_and_platform() {
    let scene = Scene::new().await;
    let own = scene.builds.platform;
    let other = match own {
        Platform::LinuxAmd64 => Platform::LinuxArm64,
        Platform::LinuxArm64 => Platform::LinuxAmd64,
    };
    let (fit, unfit) = (scene.push(own).await, scene.push(other).await);
    let host = scene.server.host();
    let name = format!("{host}/selvedge/chaincode");
    assert_eq!(scene.find(&name, fit).await, Ok(seen()));
    assert_eq!(
        scene.find(&name, unfit).await.unwrap_err(),
        format!(
            "the image {name}@{unfit} in the registry {host} is for {other}, and {own} is wanted"
        )
    );
    let absent = Sha256::of(b"absent");
    assert_eq!(
        scene.find(&name, absent).await.unwrap_err(),
        format!("the registry {host} has no image {name}@{absent}, which is wanted for {own}")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rewritten_is_looked_for_and_pulled_elsewhere() {
    let scene = Scene::new().await;
    let digest = scene.push(scene.builds.platform).await;
    let host = scene.server.host();
    assert_eq!(scene.find("ghcr.io/chaincode:1.0", digest).await, Ok(seen()));
    let absent = Sha256::of(b"absent");
    assert_eq!(
        scene.find("ghcr.io/chaincode", absent).await.unwrap_err(),
        format!(
            "the registry {host} has no image {host}/selvedge/chaincode@{absent}, which is wanted for \
             {} (the package names ghcr.io/chaincode@{absent}; registry.rewrites)",
            scene.builds.platform
        )
    );
    let image = image_reference("ghcr.io/chaincode".into(), digest.to_string(), None);
    assert_eq!(
        scene.builds.pulled(PackageContent::Image, &image),
        format!("{host}/selvedge/chaincode@{digest}")
    );
    let built = scene.builds.pulled(PackageContent::Code(Language::Golang), &image);
    assert_eq!(built, format!("ghcr.io/chaincode@{digest}"), "it is where it was pushed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_cannot_be_asked_keeps_nobody_from_running_what_nodes_may_have() {
    let scene = Scene::new().await;
    match scene.find("gone.example.com/asset", Sha256::of(b"image")).await {
        Ok(Sighting::Unknown(reason)) => {
            assert!(reason.starts_with("the registry 127.0.0.1:1 does not tell: "), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}
