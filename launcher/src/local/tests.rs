//! The image store as the backend keeps it: what chaincode, which can write there, does to it.

use std::fs;
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;
use crate::removal::tests::unprivileged;

struct Store {
    parent: tempfile::TempDir,
    data: DataDirectory,
    backend: LocalBackend,
}

impl Store {
    fn new(limit: u64) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(&parent.path().join("data")).unwrap();
        let backend = open(&data, limit);
        Self { parent, data, backend }
    }

    /// Makes an image of that name, source and program.
    async fn make(&self, name: &str) -> ImageReference {
        let program = self.parent.path().join("program");
        fs::write(&program, name).unwrap();
        let (form, parts) = (Form::program(), vec![Part::Program(program)]);
        let made = self.backend.assemble(form, parts, source(name), &tag(name)).await.unwrap();
        reference(&made, &Form::program())
    }

    async fn known(&self, name: &str) -> Option<ImageReference> {
        let known = self.backend.known(&tag(name), source(name), Form::program()).await;
        known.map(|image| reference(&image, &Form::program()))
    }

    fn index(&self) -> PathBuf {
        self.data.images().join("index.json")
    }

    fn reopen(&mut self) {
        self.backend = open(&self.data, u64::MAX);
    }
}

/// A backend whose images may take so many bytes.
fn open(data: &DataDirectory, limit: u64) -> LocalBackend {
    let text = format!("apiVersion: selvedge/v1\nbuilds: {{imagesLimit: '{limit}'}}\n");
    let place =
        Place { peer_name: None, pod_name: None, pod_namespace: None, chaincode_namespace: None };
    let (configuration, tools) = (Configuration::of(&text), data.tools());
    LocalBackend::open(&place, &configuration, data, &tools, Confinement::unknown()).unwrap()
}

fn source(name: &str) -> Sha256 {
    Sha256::of(name.as_bytes())
}

fn tag(name: &str) -> Tag {
    format!("build-of-{name}").parse().unwrap()
}

#[tokio::test]
async fn a_tag_that_was_given_to_another_image_is_not_believed() {
    let store = Store::new(u64::MAX);
    store.make("victim").await;
    let intruder = store.make("intruder").await;
    assert_eq!(store.known("intruder").await, Some(intruder.clone()));
    let index = fs::read_to_string(store.index()).unwrap();
    let swapped = index
        .replace("build-of-victim", "build-of-nobody")
        .replace("build-of-intruder", "build-of-victim");
    fs::write(store.index(), swapped).unwrap();
    assert_eq!(store.known("victim").await, None);
    // What is run is named by its digest: no tag says which that is.
    assert!(store.backend.holds(&intruder).await);
    let made = store.make("victim").await;
    assert_eq!(store.known("victim").await, Some(made));
}

#[tokio::test]
async fn an_image_that_says_whose_it_is_without_being_made_so_is_not_believed() {
    let store = Store::new(u64::MAX);
    store.make("victim").await;
    let images = &store.backend.images;
    let found = images.find_tag(&tag("victim")).unwrap().unwrap();
    let manifest = images.manifest(&found).unwrap();
    let config = String::from_utf8(images.read_blob(manifest.config()).unwrap()).unwrap();
    // Its source and its layers are the victim's, not so its environment.
    let forged = config.replace("PATH=/usr/local/bin", "PATH=/tmp/local/bin");
    assert_ne!(forged, config);
    let put = |bytes: &str| {
        let digest = Sha256::of(bytes.as_bytes());
        fs::write(images.blob_path(digest), bytes).unwrap();
        digest.to_string()
    };
    let of_manifest = String::from_utf8(images.read_blob(&found).unwrap()).unwrap();
    let forged_manifest = of_manifest.replace(manifest.config().digest().as_ref(), &put(&forged));
    let forged_image = put(&forged_manifest);
    let index = fs::read_to_string(store.index()).unwrap();
    fs::write(store.index(), index.replace(found.digest().as_ref(), &forged_image)).unwrap();
    assert!(store.backend.is_sound(forged_image.parse().unwrap()).await, "it is no image");
    assert_eq!(store.known("victim").await, None);
}

#[tokio::test]
async fn what_was_tampered_with_is_not_run_and_is_made_again() {
    let store = Store::new(u64::MAX);
    let image = store.make("one").await;
    let blobs = fs::read_dir(store.data.images().join("blobs/sha256")).unwrap();
    let blobs: Vec<_> = blobs.map(|blob| blob.unwrap().path()).collect();
    assert_eq!(blobs.len(), 4);
    for path in blobs.iter().chain([&store.index()]) {
        for put in [
            |path: &PathBuf| mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap(),
            |path: &PathBuf| fs::File::create(path).unwrap().set_len(1 << 42).unwrap(),
            |path: &PathBuf| fs::write(path, "{").unwrap(),
        ] {
            assert!(store.backend.holds(&image).await);
            fs::remove_file(path).unwrap();
            put(path);
            assert!(!store.backend.holds(&image).await, "{}", path.display());
            assert_eq!(store.known("one").await, None);
            assert_eq!(store.make("one").await, image);
        }
    }
}

#[tokio::test]
async fn nothing_in_the_store_keeps_a_launcher_from_starting() {
    let mut store = Store::new(u64::MAX);
    let root = store.data.images();
    let to_file = |path: PathBuf| {
        fs::remove_dir_all(&path).unwrap();
        fs::write(path, "a file").unwrap();
    };
    let to_directory = |path: PathBuf| {
        fs::remove_file(&path).unwrap();
        fs::create_dir_all(path.join("inner")).unwrap();
    };
    let to_pipe = |path: PathBuf| {
        fs::remove_file(&path).unwrap();
        mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    };
    for (tamper, name) in [
        (&to_file as &dyn Fn(PathBuf), ""),
        (&to_file, "blobs"),
        (&to_file, "scratch"),
        (&to_directory, "index.json"),
        (&to_directory, "index.lock"),
        (&to_pipe, "index.json"),
        (&to_pipe, "index.lock"),
        (&to_pipe, "oci-layout"),
    ] {
        tamper(if name.is_empty() { root.clone() } else { root.join(name) });
        store.reopen();
        let image = store.make("one").await;
        assert!(store.backend.holds(&image).await, "{name}");
    }
}

#[test]
fn no_mode_in_the_store_keeps_a_launcher_from_starting() {
    let store = Store::new(u64::MAX);
    let root = store.data.images();
    for name in ["index.json", "index.lock", "scratch", "blobs", ""] {
        let path = root.join(name);
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    }
    unprivileged(|| {
        let backend = open(&store.data, u64::MAX);
        assert_eq!(backend.images.images().unwrap(), []);
    });
}

#[test]
fn what_interrupted_builds_left_is_removed_at_the_start() {
    let mut store = Store::new(u64::MAX);
    let scratch = store.data.images().join("scratch");
    fs::write(scratch.join("layer"), "half").unwrap();
    store.reopen();
    assert_eq!(fs::read_dir(scratch).unwrap().count(), 0);
}

#[tokio::test]
async fn a_store_that_is_too_large_loses_what_neither_runs_nor_was_just_made() {
    let store = Store::new(0);
    let one = store.make("one").await;
    assert!(store.backend.holds(&one).await, "it was just made");
    let runs = store.backend.keep(&one);
    let runs_twice = store.backend.keep(&one);
    let two = store.make("two").await;
    drop(runs);
    let three = store.make("three").await;
    let held = async |image| store.backend.holds(image).await;
    assert_eq!((held(&one).await, held(&two).await, held(&three).await), (true, false, true));
    drop(runs_twice);
    let two = store.make("two").await;
    assert_eq!((held(&one).await, held(&two).await, held(&three).await), (false, true, false));
}

#[tokio::test]
async fn what_is_called_for_was_used() {
    let mut store = Store::new(u64::MAX);
    let [one, two] = [store.make("one").await, store.make("two").await];
    let blobs = fs::read_dir(store.data.images().join("blobs/sha256")).unwrap();
    let sizes = blobs.map(|blob| blob.unwrap().metadata().unwrap().len());
    let whole: u64 = sizes.sum();
    for builds_again in [false, true] {
        store.reopen();
        store.make("two").await;
        if builds_again {
            assert_eq!(store.known("one").await.as_ref(), Some(&one));
        } else {
            assert!(store.backend.holds(&one).await);
        }
        store.backend = open(&store.data, whole - 1);
        assert!(store.backend.holds(&one).await);
        assert!(!store.backend.holds(&two).await);
    }
}
