//! A layout in which somebody else can write: whatever lies there, who reads it neither waits nor
//! reads without end, and images can be kept in it again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use selvedge_buildpack::image::{Layout, LayoutError, sha256, unpack, validate};
use serde_json::json;

use crate::images::{Specimen, image, tag};

/// Far more than anybody reads, and none of it on the disk.
const HUGE: u64 = 1 << 42;

fn pipe(path: &Path) {
    fs::remove_file(path).unwrap();
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
}

fn huge(path: &Path) {
    fs::remove_file(path).unwrap();
    File::create(path).unwrap().set_len(HUGE).unwrap();
}

fn directory(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
}

/// Manifest, configuration, base and program.
fn blobs(specimen: &Specimen) -> Vec<PathBuf> {
    let manifest = specimen.manifest();
    let layers = manifest["layers"].as_array().unwrap();
    let digests =
        [json!(specimen.descriptor.digest().to_string()), manifest["config"]["digest"].clone()];
    let layers = layers.iter().map(|layer| layer["digest"].clone());
    digests.into_iter().chain(layers).map(|digest| specimen.blob(&digest)).collect()
}

#[test]
fn what_lies_in_a_blobs_place_is_a_fault_and_is_replaced() {
    for (put, told) in [
        (pipe as fn(&Path), "cannot be read: it is not a regular file"),
        (huge, "bytes, its descriptor says"),
    ] {
        for blob in 0..4 {
            let specimen = Specimen::new();
            let blob = &blobs(&specimen)[blob];
            put(blob);
            let faults = specimen.faults();
            assert!(faults[0].contains(told), "{faults:?}");
            let target = specimen.directory.path().join("rootfs");
            assert!(unpack(&specimen.layout, &specimen.descriptor, &target).is_err());
            assert!(!target.exists());
            let layout = &specimen.layout;
            layout.add(image(layout, "#!program\n"), &tag("a")).unwrap();
            specimen.has(&[]);
        }
    }
}

#[test]
fn whatever_lies_in_a_blobs_place_can_be_collected() {
    for put in [pipe, huge, directory] {
        for blob in 0..4 {
            let specimen = Specimen::new();
            put(&blobs(&specimen)[blob]);
            specimen.layout.collect(1 << 30, |_| false).unwrap();
            assert_eq!(specimen.layout.images().unwrap(), []);
            let left = fs::read_dir(specimen.layout.root().join("blobs/sha256")).unwrap();
            assert_eq!(left.count(), 0);
        }
    }
}

#[test]
fn a_layer_that_is_said_to_be_huge_is_not_read() {
    let specimen = Specimen::new().change_manifest(|manifest| {
        manifest["layers"][1]["size"] = HUGE.into();
    });
    huge(&blobs(&specimen)[3]);
    specimen.has(&["is larger than 2147483648 bytes", "the program"]);
    let target = specimen.directory.path().join("rootfs");
    assert!(unpack(&specimen.layout, &specimen.descriptor, &target).is_err());
}

#[test]
fn an_index_that_means_nothing_is_told_and_the_next_image_begins_another() {
    let unreadable = |specimen: &Specimen, reason: &str| {
        let error: LayoutError = specimen.layout.images().unwrap_err();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let told = format!("{error} {}", cause.unwrap_or_default());
        assert!(told.contains("index.json") && told.contains(reason), "{told}");
        let image = sha256(&specimen.descriptor).unwrap();
        assert!(validate(&specimen.layout, image).is_err());
        // Nothing is lost that is not there already.
        let gone = specimen.layout.collect(u64::MAX, |_| false).unwrap();
        assert!(gone.images.is_empty() && gone.bytes > 0);
        let again = image_again(&specimen.layout);
        assert_eq!(validate(&specimen.layout, again).unwrap(), []);
    };
    for text in
        ["", "{", "[]", "\0", r#"{"schemaVersion":2,"manifests":7}"#, r#"{"manifests":[{}]}"#]
    {
        let specimen = Specimen::new();
        fs::write(specimen.layout.root().join("index.json"), text).unwrap();
        unreadable(&specimen, "is malformed");
    }
    for (put, reason) in [(pipe as fn(&Path), "not a regular file"), (huge, "larger than 4194304")]
    {
        let specimen = Specimen::new();
        put(&specimen.layout.root().join("index.json"));
        unreadable(&specimen, reason);
    }
    let specimen = Specimen::new();
    fs::remove_file(specimen.layout.root().join("index.json")).unwrap();
    unreadable(&specimen, "No such file");
}

fn image_again(layout: &Layout) -> selvedge_buildpack::digest::Sha256 {
    sha256(&layout.add(image(layout, "again"), &tag("again")).unwrap()).unwrap()
}

#[test]
fn nobody_waits_at_a_pipe_in_the_place_of_a_file_of_the_layout() {
    for put in [pipe, huge] {
        let specimen = Specimen::new();
        put(&specimen.layout.root().join("oci-layout"));
        let opened = Layout::open(specimen.layout.root());
        assert!(matches!(opened, Err(LayoutError::NotALayout { .. })));
    }
    let specimen = Specimen::new();
    let lock = specimen.layout.root().join("index.lock");
    pipe(&lock);
    let error = specimen.layout.collect(u64::MAX, |_| false).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot use {}", lock.display()));
}
