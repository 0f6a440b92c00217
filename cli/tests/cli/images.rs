//! Images that are inspected: in a directory, and in a registry with a password.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use selvedge_buildpack::attestation::{Build, Ingredient, Seen, attest};
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::oci_spec::image::Descriptor;
use selvedge_buildpack::image::{
    Base, Form, ImagePlan, Layout, Part, ReferrerKind, assemble, sha256,
};
use selvedge_buildpack::language::Language;
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::source::Source;
use selvedge_registry::{Registry, RegistryAuth};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::registry::{Access, PASSWORD, USER};
use testbed::temporary_registry::TemporaryRegistry;

use super::{chaincode, check, command, selvedge};

/// An image in a layout, and the package that it is of.
struct Scene {
    directory: TempDir,
    layout: Layout,
    image: Descriptor,
    digest: Sha256,
    told: Vec<Descriptor>,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        chaincode(&root.join("asset"));
        let package = ["package", "asset", "--label", "basic_1.0", "--no-compile"];
        check(&selvedge(root, &package), 0, &["Wrote"], &[]);
        let code = root.join("code/src");
        fs::create_dir_all(&code).unwrap();
        for file in ["go.mod", "main.go"] {
            fs::copy(root.join("asset").join(file), code.join(file)).unwrap();
        }
        let source = Source::open(&root.join("code")).unwrap().digest().unwrap();
        let layout = Layout::create(&root.join("images")).unwrap();
        let (image, told) = image(&layout, root, source);
        let digest = sha256(&image).unwrap();
        Self { directory, layout, image, digest, told }
    }

    fn root(&self) -> &Path {
        self.directory.path()
    }

    fn inspect(&self, arguments: &[&str]) -> Output {
        selvedge(self.root(), &[&["inspect"], arguments].concat())
    }
}

/// Makes an image of the source, and tells of it.
fn image(layout: &Layout, root: &Path, source: Sha256) -> (Descriptor, Vec<Descriptor>) {
    let program = root.join("program");
    fs::write(&program, "#!program\n").unwrap();
    let pem = "-----BEGIN CERTIFICATE-----\nQUFB\n-----END CERTIFICATE-----\n";
    let (base, platform) = (Base::from_pem(pem).unwrap(), Platform::LinuxAmd64);
    let (form, parts) = (Form::program(), [Part::Program(program)]);
    let plan = ImagePlan { base: &base, form: &form, parts: &parts, source, platform };
    let image = assemble(&plan, &layout.scratch()).unwrap();
    let image = layout.add(image, &"build-1".parse().unwrap()).unwrap();
    let build = Build {
        language: Language::Golang,
        path: "example.com/asset".to_owned(),
        // As a builder may send it that is not ours.
        label: "basic\u{1b}[2J_1.0".to_owned(),
        source,
        base: base.diff_id().unwrap(),
        runtime: None,
        toolchain: Some(Ingredient { name: "go1.26.8".to_owned(), digest: None }),
        recipe: vec!["-trimpath".to_owned()],
        platform,
        seen: Seen::Built,
    };
    let layers = layout.manifest(&image).unwrap().layers().clone();
    let told = attest(layout, &image, &layers, &build).unwrap();
    (image, told)
}

fn shown(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn an_image_in_a_directory() {
    let scene = Scene::new();
    let digest = scene.digest.to_string();
    let by_digest = format!("oci:images@{digest}");
    for named in ["images", "oci:images", "oci:images:build-1", &by_digest] {
        let told = ["linux/amd64", &digest, "selvedge: base", "built by", "go1.26.8", "(golang)"];
        check(&scene.inspect(&[named]), 0, &told, &[]);
        assert!(shown(&scene.inspect(&[named])).contains("basic\\u{1b}[2J_1.0"));
    }
    let json: Value = serde_json::from_str(&shown(&scene.inspect(&["images", "--json"]))).unwrap();
    assert_eq!((&json["digest"], &json["remarks"]), (&json!(digest), &json!([])));
    assert_eq!(json["provenance"]["source"], json["source"]);
    let sbom: Value = serde_json::from_str(&shown(&scene.inspect(&["images", "--sbom"]))).unwrap();
    assert_eq!(sbom["components"].as_array().unwrap().len() as u64, json["sbom"]["components"]);

    check(&scene.inspect(&["oci:images:other"]), 1, &[], &["images has no image other"]);
    let absent = format!("oci:images@{}", Sha256::of(b"absent"));
    check(&scene.inspect(&[&absent]), 1, &[], &["images has no image sha256:"]);
    check(&scene.inspect(&["asset"]), 1, &[], &["asset is not an OCI image layout"]);
}

#[test]
fn whether_an_image_is_of_a_package() {
    let scene = Scene::new();
    let of = scene.inspect(&["images", "--package", "basic_1.0.tar.gz"]);
    check(&of, 0, &["it is of basic_1.0:"], &[]);
    fs::write(scene.root().join("asset/more.go"), "package main\n").unwrap();
    let package = ["package", "asset", "--label", "other_1.0", "--no-compile"];
    check(&selvedge(scene.root(), &package), 0, &["Wrote"], &[]);
    let not = scene.inspect(&["images", "--package", "other_1.0.tar.gz"]);
    let reason = "the image says that it was made of sha256:";
    check(&not, 1, &["it is not of other_1.0:", reason], &[]);
    let json = scene.inspect(&["images", "--package", "other_1.0.tar.gz", "--json"]);
    check(&json, 1, &["\"reason\": \"the image says"], &[]);
}

#[test]
fn what_is_told_wrongly_is_said_and_what_is_missing() {
    let scene = Scene::new();
    // Nobody else's: of another image, and no document at all.
    let layout = Layout::create(&scene.root().join("others")).unwrap();
    let source = Sha256::of(b"another source");
    let (other, _) = image(&layout, scene.root(), source);
    let told = scene.layout.referrers(scene.digest).unwrap();
    let sbom = scene.layout.read_blob(&told[0].document).unwrap();
    fs::remove_dir_all(layout.root()).unwrap();
    let layout = Layout::create(layout.root()).unwrap();
    let (bare, _) = image(&layout, scene.root(), source);
    assert_eq!(other.digest(), bare.digest());
    let index = layout.root().join("index.json");
    let mut listed: Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    listed["manifests"].as_array_mut().unwrap().truncate(1);
    fs::write(&index, listed.to_string()).unwrap();
    let missing = "there is no SBOM beside the image";
    check(&scene.inspect(&["others"]), 0, &[missing, "there is no provenance"], &[]);
    check(&scene.inspect(&["others", "--sbom"]), 1, &[], &["has no SBOM beside it"]);

    layout.refer(&bare, ReferrerKind::Sbom, &sbom).unwrap();
    layout.refer(&bare, ReferrerKind::Provenance, b"{\"_type\":\"\\u001b[2J\"}").unwrap();
    let wrong = ["the SBOM beside the image is not taken: it is about another image"];
    check(&scene.inspect(&["others"]), 0, &[wrong[0], "the provenance beside the image is"], &[]);
}

#[test]
fn no_control_character_reaches_a_terminal() {
    let scene = Scene::new();
    let text = "{\"bomFormat\":\"CycloneDX\",\"x\":\"\\u001b[2J\u{9b}2J\u{202e}\"}";
    let layout = Layout::create(&scene.root().join("evil")).unwrap();
    let (image, _) = image(&layout, scene.root(), Sha256::of(b"source"));
    let index = layout.root().join("index.json");
    let mut listed: Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    listed["manifests"].as_array_mut().unwrap().truncate(1);
    fs::write(&index, listed.to_string()).unwrap();
    layout.refer(&image, ReferrerKind::Sbom, text.as_bytes()).unwrap();
    let output = scene.inspect(&["evil", "--sbom"]);
    check(&output, 0, &["\\u001b[2J\\u009b2J\\u202e"], &[]);
    let stated: Value = serde_json::from_str(&shown(&output)).unwrap();
    assert_eq!(stated["x"], "\u{1b}[2J\u{9b}2J\u{202e}", "it says the same");
}

#[test]
fn what_does_not_fit_together() {
    let scene = Scene::new();
    let for_packages = "--compile is for packages, and an image was named";
    check(&scene.inspect(&["images", "--compile"]), 2, &[], &[for_packages]);
    for option in [&["--sbom"][..], &["--package", "basic_1.0.tar.gz"], &["--plain-http"]] {
        let arguments = [&["basic_1.0.tar.gz"], option].concat();
        check(&scene.inspect(&arguments), 2, &[], &["are for images: HOST/NAME"]);
    }
}

/// A directory of docker's with a password for the registry.
fn logged_in(root: &Path, registry: &str) -> PathBuf {
    let directory = root.join("docker");
    fs::create_dir_all(&directory).unwrap();
    let auths = json!({ registry: { "username": USER, "password": PASSWORD } });
    fs::write(directory.join("config.json"), json!({ "auths": auths }).to_string()).unwrap();
    directory
}

#[test]
fn an_image_in_a_registry_with_a_password() {
    let (scene, server) = (Scene::new(), TemporaryRegistry::start(Access::Password));
    let repository = format!("{}/selvedge", server.host()).parse().unwrap();
    let auth = RegistryAuth::Basic(USER.to_owned(), PASSWORD.to_owned());
    let registry = Registry::new(&repository, true, auth).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tag = "build-1".parse().unwrap();
        registry.push(&scene.layout, &scene.image, &tag).await.unwrap();
        registry.refer(&scene.layout, scene.digest, &scene.told).await.unwrap();
    });

    let docker = logged_in(scene.root(), server.host());
    let inspect = |docker: &Path, name: &str| {
        let arguments = ["inspect", "--plain-http", name, "--package", "basic_1.0.tar.gz"];
        command(scene.root(), &arguments).env("DOCKER_CONFIG", docker).output().unwrap()
    };
    let repository = format!("{}/selvedge/chaincode", server.host());
    for name in [format!("{repository}:build-1"), format!("{repository}@{}", scene.digest)] {
        let digest = scene.digest.to_string();
        let told = [&*digest, "built by", "components (--sbom", "it is of basic_1.0:"];
        check(&inspect(&docker, &name), 0, &told, &[]);
    }
    let absent = format!("{repository}:absent");
    check(&inspect(&docker, &absent), 1, &[], &["its registry has none of this name"]);
    let nobody = inspect(scene.root(), &format!("{repository}:build-1"));
    check(&nobody, 1, &[], &["does not accept who asks (401 Unauthorized)"]);
}
