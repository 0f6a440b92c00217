//! Images that are there already, in a real registry: taken if they are of this source's making,
//! whoever pushed them; only Kubernetes is a mock.

use std::fs;
use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use oci_client::secrets::RegistryAuth;
use selvedge_buildpack::archive::{ArchiveWriter, EntryPath, GzipWriter};
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{Base, Form, ImagePlan, Layout, Part, Tag, assemble};
use selvedge_buildpack::source::Source;
use selvedge_proto::launcher::ChaincodeSource;
use serde_json::json;
use tempfile::TempDir;

use super::super::mock::Api as Cluster;
use super::*;
use crate::build_records::BuildKeySlot;
use crate::configuration::Configuration;
use crate::data::DataDirectory;
use crate::source::Received;
use selvedge_registry::Registry;
use testbed::registry::Access;
use testbed::temporary_registry::TemporaryRegistry;

/// A launcher that may build, and a registry.
struct Scene {
    directory: TempDir,
    server: TemporaryRegistry,
    builds: Builds,
    source: StagedSource,
    tag: Tag,
    form: Form,
}

impl Scene {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = TemporaryRegistry::start(Access::Open);
        let data = DataDirectory::open(&directory.path().join("data")).unwrap();
        let compiler = Sha256::of(b"compiler");
        let toolchains = format!("toolchains: {{go: {{image: golang@{compiler}}}}}");
        let builds = builds(&server, &data, "rewrites: []", &toolchains).await;
        let source = source(directory.path(), &data).await;
        let (log, _lines) = mpsc::channel(64);
        let said = builds.said().unwrap();
        let toolchain = builds.toolchain(source.language, &said, &log).await;
        let (_, key, recipe) = builds.key(&source, toolchain.as_ref(), None).unwrap();
        Self { directory, server, builds, source, tag: key.tag(), form: recipe.form() }
    }

    /// Pushes an image under the tag by which this source's is found.
    async fn push(&self, base: &Base, source: Sha256, change: impl FnOnce(&Layout, &Descriptor)) {
        let images = Layout::create(&self.directory.path().join("forged")).unwrap();
        let program = self.directory.path().join("program");
        fs::write(&program, "#!program\n").unwrap();
        let (form, platform) = (self.form.clone(), self.builds.platform);
        let plan =
            ImagePlan { base, form: &form, parts: &[Part::Program(program)], source, platform };
        let image = assemble(&plan, &images.scratch()).unwrap();
        let image = images.add(image, &self.tag).unwrap();
        change(&images, &image);
        let image = images.find_tag(&self.tag).unwrap().unwrap();
        let repository = format!("{}/selvedge", self.server.host()).parse().unwrap();
        let registry = Registry::new(&repository, true, RegistryAuth::Anonymous).unwrap();
        registry.push(&images, &image, &self.tag).await.unwrap();
        fs::remove_dir_all(images.root()).unwrap();
    }

    fn digest(&self) -> Sha256 {
        self.source.source.digest().unwrap()
    }

    /// Builds; the image if one was found, and else why not.
    async fn build(&self) -> Result<ImageReference, String> {
        let (log, mut lines) = mpsc::channel(64);
        let building = self.builds.build(&self.source, Duration::from_mins(10), &log);
        tokio::select! {
            image = Box::pin(building) => Ok(image.unwrap()),
            line = lines.recv() => Err(line.unwrap()),
        }
    }
}

/// What a launcher builds with beside a registry; its operator's file says this of that and of
/// builds.
pub(super) async fn builds(
    server: &TemporaryRegistry,
    data: &DataDirectory,
    of_registry: &str,
    of_builds: &str,
) -> Builds {
    let address = format!("address: {}/selvedge, plainHttp: true", server.host());
    opened(data, &format!("{address}, {of_registry}"), of_builds).await.unwrap()
}

/// What a launcher builds with whose operator's file says this of a registry and of builds, and nothing
/// else.
pub(super) async fn opened(
    data: &DataDirectory,
    of_registry: &str,
    of_builds: &str,
) -> Result<Builds, BuildsError> {
    let cluster = Cluster::default();
    let pod = json!({ "metadata": { "name": "peer0-a" }, "spec": { "containers": [] } });
    cluster.put("/api/v1/namespaces/org1/pods/peer0-a", pod);
    let configuration = Configuration::of(&format!(
        "apiVersion: selvedge/v1\nbackend: kubernetes\nregistry: {{{of_registry}}}\nbuilds: \
         {{launcherImage: launcher, port: 0, {of_builds}}}\n",
    ));
    Builds::open(configuration, cluster.ground("peer0-a"), data).await
}

/// A small source as a builder sends it.
async fn source(directory: &Path, data: &DataDirectory) -> StagedSource {
    let root = directory.join("source");
    fs::create_dir_all(root.join("src")).unwrap();
    fs::write(root.join("src/go.mod"), "module selvedge.example/greeter\n\ngo 1.21\n").unwrap();
    fs::write(root.join("src/main.go"), "package main\n\nfunc main() {}\n").unwrap();
    staged(&root, "golang", "selvedge.example/greeter", data).await
}

/// What is in a directory, as it comes from a builder.
pub(super) async fn staged(
    root: &Path,
    kind: &str,
    path: &str,
    data: &DataDirectory,
) -> StagedSource {
    let mut tar = Vec::new();
    Source::open(root).unwrap().write_tar(&mut tar).unwrap();
    let (kind, path, label) = (kind.into(), path.into(), "greeter_1.0".into());
    let described = ChaincodeSource { r#type: kind, path, label };
    let chunks = tokio_stream::iter([Ok(Bytes::from(tar))]);
    match Received::receive(&described, Box::pin(chunks), data, &BuildKeySlot::default())
        .await
        .unwrap()
    {
        Received::Code(source) => source,
        Received::Image(image) => panic!("{image} instead of a source"),
    }
}

fn untouched(_: &Layout, _: &Descriptor) {}

/// Replaces the layer with the program by one with a file more, in the manifest and wherever that
/// shows.
fn smuggle(images: &Layout, image: &Descriptor) {
    let put = |content: &[u8]| {
        let digest = Sha256::of(content);
        fs::write(images.blob_path(digest), content).unwrap();
        json!({ "digest": digest.to_string(), "size": content.len() })
    };
    let read = |blob: &Descriptor| -> serde_json::Value {
        serde_json::from_slice(&images.read_blob(blob).unwrap()).unwrap()
    };
    let name = |put: &mut serde_json::Value, blob: &serde_json::Value| {
        put["digest"] = blob["digest"].clone();
        put["size"] = blob["size"].clone();
    };
    let (tar, layer) = smuggled();
    let (mut manifest, mut config) = (read(image), read(images.manifest(image).unwrap().config()));
    config["rootfs"]["diff_ids"][1] = Sha256::of(&tar).to_string().into();
    name(&mut manifest["layers"][1], &put(&layer));
    name(&mut manifest["config"], &put(&serde_json::to_vec(&config).unwrap()));
    let path = images.root().join("index.json");
    let mut index: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    name(&mut index["manifests"][0], &put(&serde_json::to_vec(&manifest).unwrap()));
    fs::write(&path, serde_json::to_vec(&index).unwrap()).unwrap();
}

/// A layer with a program and with certificates of somebody else, and its tar.
fn smuggled() -> (Vec<u8>, Vec<u8>) {
    let entry = |path: &str| EntryPath::parse(path.as_bytes()).unwrap();
    let mut archive = ArchiveWriter::new(Vec::new());
    archive.bytes(&entry("etc/ssl/certs/ca-certificates.crt"), 0o644, b"of somebody else").unwrap();
    for directory in ["usr", "usr/local", "usr/local/bin"] {
        archive.directory(&entry(directory), 0o755).unwrap();
    }
    archive.bytes(&entry("usr/local/bin/chaincode"), 0o755, b"#!program\n").unwrap();
    let tar = archive.finish().unwrap();
    let mut gzip = GzipWriter::new(Vec::new());
    gzip.write_all(&tar).unwrap();
    let compressed = gzip.finish().unwrap();
    (tar, compressed)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_this_source_makes_is_taken_from_the_registry() {
    let scene = Scene::new().await;
    let other = "-----BEGIN CERTIFICATE-----\nQUFB\n-----END CERTIFICATE-----\n";
    let (own, other) = (scene.builds.base.clone(), Base::from_pem(other).unwrap());
    let refused = async |what: &str| {
        let said = scene.build().await.expect_err(what);
        let image = format!("{}/selvedge/chaincode:{}", scene.server.host(), scene.tag);
        let expected = format!("what the registry has as {image} was not made of this source");
        assert!(said.starts_with(&expected), "{what}: {said}");
    };
    scene.push(&own, Sha256::of(b"another"), untouched).await;
    refused("another source").await;
    scene.push(&other, scene.digest(), untouched).await;
    refused("another base").await;
    scene.push(&own, scene.digest(), smuggle).await;
    refused("more than a program").await;

    scene.push(&own, scene.digest(), untouched).await;
    let image = scene.build().await.unwrap();
    assert_eq!(image.name, format!("{}/selvedge/chaincode", scene.server.host()));
    let left = fs::read_dir(scene.directory.path().join("data/tmp")).unwrap().count();
    assert_eq!(left, 1, "the source alone");
}
