//! A layout within its bound: what was not used for longest goes first, whatever interrupts it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, SystemTime};

use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::oci_spec::image::{Descriptor, Digest, MediaType};
use selvedge_buildpack::image::{Collected, Foreign, Layout, ReferrerKind, sha256, validate};
use selvedge_buildpack::platform::Platform;
use tempfile::TempDir;

use crate::images::{image, tag};

/// Images, of which the first was not used for longest.
struct Store {
    _directory: TempDir,
    layout: Layout,
    images: Vec<Sha256>,
}

impl Store {
    fn of(programs: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(directory.path()).unwrap();
        let add =
            |program: &&str| sha256(&layout.add(image(&layout, program), &tag(program)).unwrap());
        let images: Vec<Sha256> = programs.iter().filter_map(add).collect();
        for (age, image) in images.iter().rev().enumerate() {
            let used = SystemTime::now() - Duration::from_hours(1 + age as u64);
            let manifest = File::open(layout.blob_path(*image)).unwrap();
            manifest.set_modified(used).unwrap();
        }
        Self { _directory: directory, layout, images }
    }

    fn blobs(&self) -> HashSet<PathBuf> {
        let blobs = fs::read_dir(self.layout.root().join("blobs/sha256")).unwrap();
        blobs.map(|blob| blob.unwrap().path()).collect()
    }

    fn bytes(&self) -> u64 {
        self.blobs().iter().map(|blob| fs::metadata(blob).unwrap().len()).sum()
    }

    fn collect(&self, limit: u64, spared: &[usize]) -> Collected {
        let is_spared = |image| spared.iter().any(|spared| self.images[*spared] == image);
        self.layout.collect(limit, is_spared).unwrap()
    }

    /// Just these images are there, all of them sound, and nothing besides.
    #[track_caller]
    fn has(&self, images: &[usize]) {
        let there: HashSet<_> = self.layout.images().unwrap().iter().filter_map(sha256).collect();
        assert_eq!(there, images.iter().map(|image| self.images[*image]).collect());
        for image in &there {
            assert_eq!(validate(&self.layout, *image).unwrap(), []);
        }
        let mut blobs = HashSet::new();
        for image in self.layout.images().unwrap() {
            let manifest = self.layout.manifest(&image).unwrap();
            let parts = [&image, manifest.config()].into_iter().chain(manifest.layers());
            blobs.extend(parts.map(|part| self.layout.blob_path(sha256(part).unwrap())));
        }
        assert_eq!(self.blobs(), blobs);
    }
}

/// One digest for several platforms: the image for one of them is known by it, and stays so.
#[test]
fn what_names_images_for_several_platforms_stays() {
    let store = Store::of(&["one"]);
    let layout = &store.layout;
    let image = layout.find(store.images[0]).unwrap().unwrap();
    let several = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{}","digest":"{}","size":{},
            "platform":{{"os":"linux","architecture":"amd64"}}}}]}}"#,
        image.media_type(),
        image.digest(),
        image.size()
    );
    let digest = Sha256::of(several.as_bytes());
    fs::write(layout.blob_path(digest), &several).unwrap();
    let name = Digest::try_from(digest.to_string()).unwrap();
    let size = several.len() as u64;
    layout.adopt(&Descriptor::new(MediaType::ImageIndex, size, name)).unwrap();

    assert_eq!(store.collect(u64::MAX, &[]), Collected::default());
    let known = Foreign::known(layout, digest, Platform::LinuxAmd64);
    assert_eq!(known, Some(layout.manifest(&image).unwrap()));
    assert_eq!(Foreign::known(layout, digest, Platform::LinuxArm64), None);
    let layer = sha256(&known.unwrap().layers()[0]).unwrap();
    fs::remove_file(layout.blob_path(layer)).unwrap();
    assert_eq!(Foreign::known(layout, digest, Platform::LinuxAmd64), None);
}

#[test]
fn what_the_bound_has_room_for_stays() {
    let store = Store::of(&["one", "two", "three"]);
    assert_eq!(store.collect(store.bytes(), &[]), Collected::default());
    store.has(&[0, 1, 2]);
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let store = Store::of(&["one", "two", "three"]);
    let before = store.bytes();
    let gone = store.collect(before - 1, &[]);
    store.has(&[1, 2]);
    assert_eq!(gone, Collected { images: vec![store.images[0]], bytes: before - store.bytes() });
    store.layout.touch(store.images[1]).unwrap();
    store.collect(store.bytes() - 1, &[]);
    store.has(&[1]);
    store.collect(0, &[]);
    store.has(&[]);
    assert!(store.layout.touch(store.images[1]).is_err());
}

#[test]
fn what_is_in_use_stays_whatever_its_age_and_the_bound() {
    let store = Store::of(&["one", "two", "three"]);
    store.collect(0, &[0, 2]);
    store.has(&[0, 2]);
    store.collect(0, &[]);
    store.has(&[]);
}

#[test]
fn an_image_goes_with_all_its_tags() {
    let store = Store::of(&["one", "two"]);
    store.layout.add(image(&store.layout, "one"), &tag("another")).unwrap();
    assert_eq!(store.layout.images().unwrap().len(), 3);
    // It was used just now, by whoever made it again.
    store.collect(store.bytes() - 1, &[]);
    store.has(&[0]);
    store.collect(0, &[]);
    store.has(&[]);
}

#[test]
fn a_collection_that_was_interrupted_leaves_a_store_that_works() {
    for removed in 0..3 {
        let store = Store::of(&["one", "two"]);
        let whole = store.blobs();
        store.layout.collect(0, |image| image == store.images[1]).unwrap();
        // As it was before that, but for the index and so many of the blobs.
        let of_one: Vec<_> = whole.difference(&store.blobs()).cloned().collect();
        assert_eq!(of_one.len(), 3, "manifest, configuration and program");
        for blob in &of_one[removed..] {
            fs::write(blob, "what an image had").unwrap();
        }
        assert_eq!(validate(&store.layout, store.images[1]).unwrap(), []);
        let gone = store.collect(u64::MAX, &[]);
        store.has(&[1]);
        assert_eq!((gone.images.len(), gone.bytes), (0, (3 - removed as u64) * 17));
        // What is gone can be made again.
        store.layout.add(image(&store.layout, "one"), &tag("one")).unwrap();
        store.has(&[0, 1]);
    }
}

#[test]
fn tags_that_point_nowhere_go() {
    let store = Store::of(&["one", "two", "three"]);
    fs::remove_file(store.layout.blob_path(store.images[0])).unwrap();
    let two = store.layout.find(store.images[1]).unwrap().unwrap();
    let program = store.layout.manifest(&two).unwrap().layers()[1].clone();
    fs::remove_file(store.layout.blob_path(sha256(&program).unwrap())).unwrap();
    // One that runs has its program elsewhere: it cannot be started from here again.
    let gone = store.collect(u64::MAX, &[1]);
    store.has(&[2]);
    assert_eq!(gone.images.len(), 2);
    for tag in ["one", "two"].map(tag) {
        assert_eq!(store.layout.find_tag(&tag).unwrap(), None);
    }
}

#[test]
fn images_that_are_added_meanwhile_stay_whole() {
    let store = Store::of(&[]);
    let added: HashSet<Sha256> = thread::scope(|scope| {
        let add = |program: u32| {
            let layout = &store.layout;
            move || {
                let scratch = tempfile::tempdir_in(layout.scratch()).unwrap();
                let name = format!("program-{program}");
                let image = crate::images::image_in(scratch.path(), &name);
                sha256(&layout.add(image, &tag(&name)).unwrap()).unwrap()
            }
        };
        let adding: Vec<_> = (0..8).map(|program| scope.spawn(add(program))).collect();
        while !adding.iter().all(ScopedJoinHandle::is_finished) {
            store.layout.collect(u64::MAX, |_| false).unwrap();
        }
        adding.into_iter().map(|adding| adding.join().unwrap()).collect()
    });
    assert_eq!(added.len(), 8);
    for image in added {
        assert_eq!(validate(&store.layout, image).unwrap(), []);
    }
}

#[test]
fn what_is_told_of_an_image_stays_and_goes_with_it() {
    let store = Store::of(&["one", "two"]);
    let before = store.blobs();
    let [first, last] = [0, 1].map(|number| {
        let image = store.layout.find(store.images[number]).unwrap().unwrap();
        let document = format!("{{\"image\":{number}}}");
        store.layout.refer(&image, ReferrerKind::Sbom, document.as_bytes()).unwrap();
        store.layout.referrers(store.images[number]).unwrap().remove(0)
    });
    assert_eq!(store.collect(store.bytes(), &[]), Collected::default());
    let told = |number: usize| store.layout.referrers(store.images[number]).unwrap();
    assert_eq!([told(0), told(1)], [vec![first], vec![last.clone()]]);

    // It counts: without it there were room for both.
    let gone = store.collect(store.bytes() - 1, &[]);
    assert_eq!(gone.images, [store.images[0]]);
    assert_eq!([told(0), told(1)], [vec![], vec![last]]);
    let gone = store.collect(0, &[]);
    assert_eq!(gone.images, [store.images[1]]);
    assert!(store.blobs().is_empty() && !before.is_empty());
    assert!(store.layout.images().unwrap().is_empty() && told(1).is_empty());
}
