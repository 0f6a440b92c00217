//! A layout as a registry keeps it: blobs and manifests as they come, whoever made them, and any number
//! of tags, of which one that moves leaves its image behind.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::path::Path;

use oci_spec::image::{ANNOTATION_REF_NAME, Descriptor};

use super::layout::{tag_of, using};
use super::{Layout, LayoutError, Tag, sha256};
use crate::digest::Sha256;

/// How a manifest is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestName {
    /// By its digest.
    Digest(Sha256),
    /// By one of its tags.
    Tag(Tag),
}

impl Layout {
    /// The manifest of that name, if it is listed.
    pub fn look_up(&self, name: &ManifestName) -> Result<Option<Descriptor>, LayoutError> {
        let is_it = |listed: &Descriptor| match name {
            ManifestName::Digest(digest) => sha256(listed) == Some(*digest),
            ManifestName::Tag(tag) => tag_of(listed) == Some(tag.as_ref()),
        };
        Ok(self.catalogue()?.into_iter().find(is_it))
    }

    /// Everything that is listed: each manifest once for each of its tags, and once if it has none.
    pub fn catalogue(&self) -> Result<Vec<Descriptor>, LayoutError> {
        Ok(self.index_to_change()?.manifests().clone())
    }

    /// All tags, in order.
    pub fn tags(&self) -> Result<BTreeSet<String>, LayoutError> {
        Ok(self.catalogue()?.iter().filter_map(tag_of).map(ToOwned::to_owned).collect())
    }

    /// Takes in a file that was written to the end and has that digest, which is for the caller to
    /// know. It must be on the layout's own file system. Survives a crash of the machine.
    pub fn take_in(&self, file: &Path, digest: Sha256) -> Result<(), LayoutError> {
        let (path, blobs) = (self.blob_path(digest), self.blobs());
        File::open(file).and_then(|file| file.sync_all()).map_err(using(file))?;
        fs::rename(file, &path).map_err(using(&path))?;
        File::open(&blobs).and_then(|blobs| blobs.sync_all()).map_err(using(&blobs))
    }

    /// Keeps a manifest, and lists it under the tag, or without one. What had the tag before is listed
    /// without it.
    ///
    /// `manifest` describes it: kind, size and digest, and the type of the artifact if it refers to
    /// another manifest.
    pub fn enter(
        &self,
        manifest: &Descriptor,
        bytes: &[u8],
        tag: Option<&Tag>,
    ) -> Result<(), LayoutError> {
        let digest = self.digest(manifest)?;
        let _lock = self.lock()?;
        self.write_blob(digest, bytes)?;
        let mut index = self.index_to_change()?;
        let listed = entered(index.manifests(), manifest, tag);
        index.set_manifests(listed);
        self.write_index(&index)?;
        self.touch(digest)
    }
}

/// The list with a manifest more, under the tag.
fn entered(listed: &[Descriptor], manifest: &Descriptor, tag: Option<&Tag>) -> Vec<Descriptor> {
    let is_it = |other: &Descriptor| other.digest() == manifest.digest();
    let has_tag = |other: &Descriptor| tag.is_some() && tag_of(other) == tag.map(AsRef::as_ref);
    let mut entered: Vec<Descriptor> = Vec::new();
    for other in listed {
        let is_elsewhere = |same: &&Descriptor| same.digest() == other.digest() && !has_tag(same);
        match (is_it(other), has_tag(other)) {
            // Listed anew below.
            (true, _) if tag_of(other).is_none() || has_tag(other) => {}
            (_, false) => entered.push(other.clone()),
            (_, true) if listed.iter().any(|same| is_elsewhere(&same)) => {}
            (_, true) => entered.push(untagged(other)),
        }
    }
    if tag.is_some() || !entered.iter().any(is_it) {
        let name = tag.map(|tag| (ANNOTATION_REF_NAME.to_owned(), tag.to_string()));
        let mut manifest = manifest.clone();
        manifest.set_annotations(name.map(|name| HashMap::from([name])));
        entered.push(manifest);
    }
    entered
}

fn untagged(listed: &Descriptor) -> Descriptor {
    let mut listed = listed.clone();
    listed.set_annotations(None);
    listed
}

#[cfg(test)]
mod tests {
    use oci_spec::image::MediaType;

    use super::super::descriptor::describe;
    use super::*;

    fn manifest(of: &[u8]) -> Descriptor {
        describe(MediaType::ImageManifest, Sha256::of(of), of.len() as u64).unwrap()
    }

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    #[test]
    fn a_tag_that_moves_leaves_its_image_behind() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(directory.path()).unwrap();
        let enter = |of: &[u8], tag: Option<&Tag>| layout.enter(&manifest(of), of, tag).unwrap();
        let find = |name: ManifestName| {
            layout.look_up(&name).unwrap().map(|found| sha256(&found).unwrap())
        };
        let (one, other) = (Sha256::of(b"one"), Sha256::of(b"other"));
        enter(b"one", None);
        enter(b"one", None);
        assert_eq!(layout.catalogue().unwrap().len(), 1);
        enter(b"one", Some(&tag("a")));
        enter(b"one", Some(&tag("b")));
        enter(b"one", None);
        assert_eq!(layout.catalogue().unwrap().len(), 2);

        enter(b"other", Some(&tag("a")));
        assert_eq!(find(ManifestName::Tag(tag("a"))), Some(other));
        assert_eq!(find(ManifestName::Tag(tag("b"))), Some(one));
        enter(b"other", Some(&tag("b")));
        assert_eq!(find(ManifestName::Tag(tag("b"))), Some(other));
        assert_eq!(find(ManifestName::Digest(one)), Some(one));
        assert_eq!(find(ManifestName::Digest(Sha256::of(b"none"))), None);
        assert_eq!(find(ManifestName::Tag(tag("none"))), None);
        let tags: Vec<_> = layout.tags().unwrap().into_iter().collect();
        assert_eq!(tags, ["a", "b"]);
        assert_eq!(layout.catalogue().unwrap().len(), 3);
    }

    #[test]
    fn an_index_that_means_nothing_is_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(directory.path()).unwrap();
        layout.enter(&manifest(b"one"), b"one", Some(&tag("a"))).unwrap();
        fs::write(directory.path().join("index.json"), "{\"schema").unwrap();
        assert_eq!(layout.look_up(&ManifestName::Tag(tag("a"))).unwrap(), None);
        layout.enter(&manifest(b"one"), b"one", Some(&tag("a"))).unwrap();
        assert!(layout.look_up(&ManifestName::Tag(tag("a"))).unwrap().is_some());
    }

    #[test]
    fn a_file_is_a_blob_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(directory.path()).unwrap();
        let file = directory.path().join("upload");
        fs::write(&file, "blob").unwrap();
        layout.take_in(&file, Sha256::of(b"blob")).unwrap();
        assert!(!file.exists());
        assert_eq!(layout.open_blob(Sha256::of(b"blob")).unwrap().1, 4);
    }
}
