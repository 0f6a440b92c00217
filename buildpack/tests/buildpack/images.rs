//! Images in a layout: added at once by many, and judged for everything that can be wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

use crafted::{Crafted, EntryType, gzip, tar};
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::{
    self, Base, Form, Image, ImagePlan, Layout, Origin, Part, Tag, assemble, oci_spec, sha256,
    validate,
};
use selvedge_buildpack::platform::Platform;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const CERTIFICATE: &str =
    "-----BEGIN CERTIFICATE-----\nQUFB\n-----END CERTIFICATE-----\n";

pub(crate) fn image(layout: &Layout, program: &str) -> Image {
    image_in(&layout.scratch(), program)
}

pub(crate) fn image_in(scratch: &Path, program: &str) -> Image {
    let file = scratch.join("program");
    fs::write(&file, program).unwrap();
    let base = Base::from_pem(CERTIFICATE).unwrap();
    let plan = ImagePlan {
        base: &base,
        form: &Form::program(),
        parts: &[Part::Program(file)],
        source: Sha256::of(b"source"),
        platform: Platform::LinuxAmd64,
    };
    assemble(&plan, scratch).unwrap()
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

#[test]
fn found_by_digest_and_by_tag() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::create(directory.path()).unwrap();
    let one = layout.add(image(&layout, "one"), &tag("a")).unwrap();
    let two = layout.add(image(&layout, "two"), &tag("b")).unwrap();
    assert_ne!(one.digest(), two.digest());
    let layout = Layout::open(directory.path()).unwrap();
    assert_eq!(layout.find_tag(&tag("b")).unwrap().as_ref(), Some(&two));
    assert_eq!(layout.find(sha256(&one).unwrap()).unwrap(), Some(one));
    assert_eq!(layout.find_tag(&tag("c")).unwrap(), None);
    // The same image again changes nothing; another one takes the tag.
    layout.add(image(&layout, "two"), &tag("b")).unwrap();
    assert_eq!(layout.images().unwrap().len(), 2);
    layout.add(image(&layout, "three"), &tag("b")).unwrap();
    assert_eq!(layout.images().unwrap().len(), 2);
    assert!(Layout::open(&directory.path().join("blobs")).is_err());
}

/// Same bytes for the same content: the digest below is what every machine gets.
#[test]
fn golden_digest() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::create(directory.path()).unwrap();
    assert_eq!(
        image(&layout, "#!program\n").digest().to_string(),
        "sha256:cba7e680adad148f932b91c757609813501a87affb76ce1bed18ab08f8bf0e7c"
    );
}

#[test]
fn an_image_tells_what_it_was_made_of() {
    let mut specimen = Specimen::new();
    let origin = Origin {
        base: Base::from_pem(CERTIFICATE).unwrap().diff_id().unwrap(),
        source: Sha256::of(b"source"),
        form: Form::program(),
        platform: Platform::LinuxAmd64,
    };
    let made = |origin: Origin, specimen: &Specimen| {
        origin.made(&specimen.layout, &specimen.descriptor).unwrap()
    };
    assert!(made(origin.clone(), &specimen));
    for other in [
        Origin { base: Sha256::of(b"x"), ..origin.clone() },
        Origin { source: Sha256::of(b"x"), ..origin.clone() },
        Origin { platform: Platform::LinuxArm64, ..origin.clone() },
    ] {
        assert!(!made(other, &specimen));
    }
    let elsewhere = Specimen::new().change_config(|config| config["config"]["User"] = "0".into());
    assert!(!made(origin.clone(), &elsewhere), "another user");
    let mut manifest = specimen.manifest();
    manifest["annotations"] = json!({ "more": "than is needed" });
    specimen.replace_manifest(&manifest);
    assert!(!made(origin, &specimen), "another manifest");
}

#[test]
fn nothing_but_the_program_is_laid_over_the_base() {
    let origin = Origin {
        base: Base::from_pem(CERTIFICATE).unwrap().diff_id().unwrap(),
        source: Sha256::of(b"source"),
        form: Form::program(),
        platform: Platform::LinuxAmd64,
    };
    let made = |entries: Vec<Crafted>| {
        let specimen = Specimen::new().with_entries(entries);
        specimen.has(&[]);
        origin.made(&specimen.layout, &specimen.descriptor).unwrap()
    };
    let directory = |name: &str| {
        let executable = |header: &mut tar::Header| header.set_mode(0o755);
        Crafted::new(name, EntryType::Directory, "").changed(executable)
    };
    let directories = || ["usr", "usr/local", "usr/local/bin"].map(directory);
    assert!(made(directories().into_iter().chain([program()]).collect()));
    assert!(!made(vec![program()]), "directories of whatever mode");
    let trusted = Crafted::file("etc/ssl/certs/ca-certificates.crt", "of somebody else");
    let more = [trusted].into_iter().chain(directories()).chain([program()]);
    assert!(!made(more.collect()), "other certificates");
    let more = Crafted::file("usr/local/bin/more", "x");
    assert!(!made(directories().into_iter().chain([program(), more]).collect()), "another file");
    let wide = program().changed(|header| header.set_mode(0o777));
    assert!(!made(directories().into_iter().chain([wide]).collect()), "another mode");
}

#[test]
fn one_whose_blobs_were_brought_is_listed() {
    let (one, other) = (Specimen::new(), tempfile::tempdir().unwrap());
    let layout = Layout::create(other.path()).unwrap();
    let manifest = one.layout.manifest(&one.descriptor).unwrap();
    for blob in manifest.layers().iter().chain([manifest.config(), &one.descriptor]) {
        let digest = sha256(blob).unwrap();
        fs::copy(one.layout.blob_path(digest), layout.blob_path(digest)).unwrap();
    }
    let digest = sha256(&one.descriptor).unwrap();
    assert!(!validate(&layout, digest).unwrap().is_empty());
    layout.adopt(&one.descriptor).unwrap();
    assert_eq!(validate(&layout, digest).unwrap(), []);
}

#[test]
fn many_add_at_once() {
    let directory = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let layout = Layout::create(&directory.path().join("images")).unwrap();
            let scratch = directory.path().join(format!("scratch{writer}"));
            fs::create_dir(&scratch).unwrap();
            scope.spawn(move || {
                let image = image_in(&scratch, &format!("program {}", writer / 2));
                layout.add(image, &tag(&format!("tag-{writer}"))).unwrap();
            });
        }
    });
    let layout = Layout::open(&directory.path().join("images")).unwrap();
    let images = layout.images().unwrap();
    assert_eq!(images.len(), 8);
    for image in images {
        assert_eq!(validate(&layout, sha256(&image).unwrap()).unwrap(), []);
    }
}

#[test]
fn unpacked_as_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::create(&directory.path().join("images")).unwrap();
    let descriptor = layout.add(image(&layout, "#!/bin/sh\necho started\n"), &tag("a")).unwrap();
    let rootfs = directory.path().join("rootfs");
    let configuration = image::unpack(&layout, &descriptor, &rootfs).unwrap();
    let config = configuration.config().as_ref().unwrap();
    assert_eq!(config.user().as_deref(), Some("65532:65532"));
    let program = &config.entrypoint().as_ref().unwrap()[0];
    let output = Command::new(rootfs.join(&program[1..])).output().unwrap();
    assert_eq!(output.stdout, b"started\n");
    let mode = |path: &str| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(rootfs.join(path)).unwrap().permissions().mode() & 0o7777
    };
    assert_eq!(
        (mode("tmp"), mode("etc/passwd"), mode("etc/hyperledger/fabric")),
        (0o1777, 0o644, 0o755)
    );
}

/// A good image whose parts a test can exchange.
pub(crate) struct Specimen {
    pub(crate) directory: TempDir,
    pub(crate) layout: Layout,
    pub(crate) descriptor: oci_spec::image::Descriptor,
}

impl Specimen {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(&directory.path().join("images")).unwrap();
        let descriptor = layout.add(image(&layout, "#!program\n"), &tag("a")).unwrap();
        Self { directory, layout, descriptor }
    }

    pub(crate) fn manifest(&self) -> Value {
        serde_json::from_slice(&self.layout.read_blob(&self.descriptor).unwrap()).unwrap()
    }

    pub(crate) fn blob(&self, digest: &Value) -> std::path::PathBuf {
        self.layout.blob_path(digest.as_str().unwrap().parse().unwrap())
    }

    fn put(&self, content: &[u8]) -> Value {
        let digest = Sha256::of(content);
        fs::write(self.layout.blob_path(digest), content).unwrap();
        json!({ "digest": digest.to_string(), "size": content.len() })
    }

    /// Puts another manifest in the first one's place, index included.
    fn replace_manifest(&mut self, manifest: &Value) {
        let put = self.put(&serde_json::to_vec(manifest).unwrap());
        let path = self.layout.root().join("index.json");
        let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        index["manifests"][0]["digest"] = put["digest"].clone();
        index["manifests"][0]["size"] = put["size"].clone();
        fs::write(&path, serde_json::to_vec(&index).unwrap()).unwrap();
        self.descriptor = self.layout.images().unwrap().remove(0);
    }

    pub(crate) fn change_manifest(mut self, change: impl FnOnce(&mut Value)) -> Self {
        let mut manifest = self.manifest();
        change(&mut manifest);
        self.replace_manifest(&manifest);
        self
    }

    fn change_config(self, change: impl FnOnce(&mut Value)) -> Self {
        let path = self.blob(&self.manifest()["config"]["digest"]);
        let mut config: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        change(&mut config);
        let put = self.put(&serde_json::to_vec(&config).unwrap());
        self.change_manifest(|manifest| {
            manifest["config"]["digest"] = put["digest"].clone();
            manifest["config"]["size"] = put["size"].clone();
        })
    }

    /// Puts another program layer in, with the digests that belong to it.
    fn change_layer(self, tar: &[u8], compressed: &[u8]) -> Self {
        let put = self.put(compressed);
        let diff_id = Sha256::of(tar).to_string();
        self.change_config(|config| config["rootfs"]["diff_ids"][1] = diff_id.into())
            .change_manifest(|manifest| {
                manifest["layers"][1]["digest"] = put["digest"].clone();
                manifest["layers"][1]["size"] = put["size"].clone();
            })
    }

    pub(crate) fn with_entries(self, entries: Vec<Crafted>) -> Self {
        let tar = tar(entries);
        let compressed = gzip(&tar);
        self.change_layer(&tar, &compressed)
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        let faults = validate(&self.layout, sha256(&self.descriptor).unwrap()).unwrap();
        faults.iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    pub(crate) fn has(&self, faults: &[&str]) {
        let told = self.faults();
        assert_eq!(told.len(), faults.len(), "{told:#?}");
        for (told, fault) in told.iter().zip(faults) {
            assert!(told.contains(fault), "`{told}` instead of `{fault}`");
        }
    }
}

fn program() -> Crafted {
    Crafted::file("usr/local/bin/chaincode", "x").changed(|header| header.set_mode(0o755))
}

#[test]
fn a_good_image_has_no_fault() {
    Specimen::new().has(&[]);
    Specimen::new().with_entries(vec![program()]).has(&[]);
    let absent = validate(&Specimen::new().layout, Sha256::of(b"absent")).unwrap();
    assert!(absent[0].to_string().contains("is not in the index"));
}

#[test]
fn faults_of_blobs() {
    let overwrite = |path: &Path| {
        let mut content = fs::read(path).unwrap();
        content.push(b' ');
        fs::write(path, content).unwrap();
    };
    let specimen = Specimen::new();
    overwrite(&specimen.blob(&json!(specimen.descriptor.digest().to_string())));
    specimen.has(&["its descriptor says", "has the digest"]);

    let specimen = Specimen::new();
    overwrite(&specimen.blob(&specimen.manifest()["config"]["digest"]));
    specimen.has(&["its descriptor says", "has the digest"]);

    let specimen = Specimen::new();
    fs::remove_file(specimen.blob(&specimen.manifest()["config"]["digest"])).unwrap();
    specimen.has(&["cannot be read"]);

    let specimen = Specimen::new();
    let layer = specimen.blob(&specimen.manifest()["layers"][1]["digest"]);
    fs::write(&layer, &fs::read(&layer).unwrap()[..60]).unwrap();
    specimen.has(&[
        "its descriptor says",
        "is damaged: truncated",
        "has the digest",
        "the program",
    ]);
    let target = specimen.directory.path().join("rootfs");
    assert!(image::unpack(&specimen.layout, &specimen.descriptor, &target).is_err());
    assert!(!target.exists());
}

#[test]
fn faults_of_manifests() {
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    Specimen::new()
        .change_manifest(|manifest| manifest["mediaType"] = docker.into())
        .has(&["has the media type `application/vnd.docker"]);
    Specimen::new()
        .change_manifest(|manifest| manifest["schemaVersion"] = 1.into())
        .has(&["its schema version is 1"]);
    Specimen::new()
        .change_manifest(|manifest| manifest["layers"][0]["mediaType"] = "text/plain".into())
        .has(&["has the media type `text/plain`"]);
    Specimen::new()
        .change_manifest(|manifest| manifest["config"]["size"] = 1.into())
        .has(&["its descriptor says 1"]);
    Specimen::new()
        .change_manifest(|manifest| {
            manifest["layers"].as_array_mut().unwrap().remove(0);
        })
        .has(&["has the diff ID", "2 diff IDs", "2 steps of history"]);
    let sha512 = format!("sha512:{}", "0".repeat(128));
    Specimen::new()
        .change_manifest(|manifest| manifest["layers"][0]["digest"] = sha512.into())
        .has(&["is not a SHA-256 digest"]);
    let mut specimen = Specimen::new();
    specimen.replace_manifest(&json!({}));
    specimen.has(&["is malformed"]);
}

#[test]
fn faults_of_configurations() {
    for (pointer, value, fault) in [
        ("/os", json!("windows"), "os is `windows`"),
        ("/architecture", json!("arm64"), "architecture is `arm64`"),
        ("/created", json!("2024-01-01T00:00:00Z"), "creation time is `2024"),
        ("/history/0/created", json!("2024-01-01T00:00:00Z"), "history time is `2024"),
        ("/rootfs/type", json!("files"), "rootfs type is `files`"),
        ("/rootfs/diff_ids/1", json!("sha256:00"), "has the diff ID"),
        ("/config/Entrypoint/0", json!("/bin/sh"), "the program `/bin/sh`"),
        ("/rootfs", json!([]), "is malformed"),
    ] {
        Specimen::new()
            .change_config(|config| *config.pointer_mut(pointer).unwrap() = value)
            .has(&[fault]);
    }
}

#[test]
fn faults_of_layers() {
    for (entry, fault) in [
        (Crafted::file("../evil", ""), "has `..` in its path"),
        (Crafted::link("a", EntryType::Symlink, "/etc"), "is a symbolic link"),
        (Crafted::file("a", "").changed(|header| header.set_mtime(1)), "has a modification time"),
        (Crafted::file("a", "").changed(|header| header.set_uid(1)), "does not belong to root"),
        (Crafted::file("a", "").changed(|header| header.set_mode(0o4755)), "sets the user"),
    ] {
        Specimen::new().with_entries(vec![entry, program()]).has(&[fault]);
    }
    let late = vec![program(), Crafted::file("a", "")];
    Specimen::new().with_entries(late).has(&["`a` is out of order"]);
    Specimen::new().with_entries(vec![]).has(&["the program `/usr/local/bin/chaincode`"]);
    let plain = tar(vec![program()]);
    Specimen::new()
        .change_layer(&plain, &plain)
        .has(&["is damaged: not a gzip file", "the program"]);
    let mut dated = gzip(&plain);
    dated[4] = 1;
    Specimen::new().change_layer(&plain, &dated).has(&["in its gzip header"]);
}
