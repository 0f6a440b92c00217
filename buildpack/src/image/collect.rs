//! Keeps a layout within a bound: images that were not used for longest go first.
//!
//! An image leaves the index before its blobs go. Who is interrupted in between leaves blobs that
//! no image has, and the next collection removes them.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use oci_spec::image::Descriptor;

use super::descriptor::is_referrer;
use super::layout::using;
use super::{Document, Layout, LayoutError, plain_file, sha256};
use crate::digest::Sha256;

/// What a collection took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// The images that are gone, with all their tags.
    pub images: Vec<Sha256>,
    /// What was freed, in bytes.
    pub bytes: u64,
}

/// An image, all of which is there.
struct Kept {
    digest: Sha256,
    is_spared: bool,
    used: SystemTime,
    /// What is told of it and is there; goes with it.
    referrers: Vec<Sha256>,
    /// Its blobs with their sizes, and those of what is told of it.
    blobs: HashMap<Sha256, u64>,
}

/// The manifest of what is told of an image, and the blobs of that with their sizes.
type Told = (Sha256, HashMap<Sha256, u64>);

impl Kept {
    /// What an index lists of it.
    fn listed(&self) -> impl Iterator<Item = Sha256> + use<'_> {
        [self.digest].into_iter().chain(self.referrers.iter().copied())
    }
}

impl Layout {
    /// Marks an image as used now, or a blob that an image which is on its way will have.
    pub fn touch(&self, image: Sha256) -> Result<(), LayoutError> {
        // Its manifest's time is the image's: no further file that could be lost, or belie it.
        let path = self.blob_path(image);
        let touched = plain_file::open(&path);
        touched.and_then(|(file, _)| file.set_modified(SystemTime::now())).map_err(using(&path))
    }

    /// What the images of which all is there take together, in bytes.
    pub fn image_bytes(&self) -> Result<u64, LayoutError> {
        let images = self.whole(self.index_to_change()?.manifests(), |_| false);
        let blobs: HashMap<Sha256, u64> =
            images.into_iter().flat_map(|image| image.blobs).collect();
        Ok(blobs.into_values().fold(0, u64::saturating_add))
    }

    /// Removes images that were not used for longest until the others take no more than `limit`
    /// bytes together, those of which something is missing, and what belongs to no image. Those
    /// that `is_spared` names count as used now, and stay.
    ///
    /// What cannot be removed stays; the error is about the first of it.
    pub fn collect(
        &self,
        limit: u64,
        is_spared: impl Fn(Sha256) -> bool,
    ) -> Result<Collected, LayoutError> {
        self.collect_but(limit, is_spared, None)
    }

    /// The same for a layout into which the blobs of an image come one by one, before the image does:
    /// those of no image that came, or were touched, since a time may be of one that is on its way, and
    /// stay.
    pub fn collect_but_since(
        &self,
        limit: u64,
        is_spared: impl Fn(Sha256) -> bool,
        since: SystemTime,
    ) -> Result<Collected, LayoutError> {
        self.collect_but(limit, is_spared, Some(since))
    }

    fn collect_but(
        &self,
        limit: u64,
        is_spared: impl Fn(Sha256) -> bool,
        since: Option<SystemTime>,
    ) -> Result<Collected, LayoutError> {
        // Nobody adds an image meanwhile, whose blobs no index has yet.
        let _lock = self.lock()?;
        let mut index = self.index_to_change()?;
        let mut images = self.whole(index.manifests(), is_spared);
        images.sort_by_key(|image| Reverse((image.is_spared, image.used)));
        let names = images.iter().flat_map(|image| image.blobs.keys().map(Sha256::hex));
        let of_images: HashSet<OsString> = names.map(OsString::from).collect();
        let blobs = within(limit, &mut images);
        let kept: HashSet<Sha256> = images.iter().flat_map(Kept::listed).collect();
        let (stay, go): (Vec<_>, Vec<_>) = index
            .manifests()
            .iter()
            .cloned()
            .partition(|image| sha256(image).is_some_and(|digest| kept.contains(&digest)));
        if !go.is_empty() {
            index.set_manifests(stay);
            self.write_index(&index)?;
        }
        let gone = go.iter().filter(|listed| !is_referrer(listed));
        let gone: HashSet<Sha256> = gone.filter_map(sha256).collect();
        let is_on_its_way = |blob: &Path, modified: SystemTime| {
            since.is_some_and(|since| modified >= since)
                && !of_images.contains(blob.file_name().unwrap_or_default())
        };
        let bytes = self.remove_blobs_but(&blobs, is_on_its_way)?;
        Ok(Collected { images: gone.into_iter().collect(), bytes })
    }

    /// The images of which all is there, each once, whatever tags it has.
    fn whole(&self, listed: &[Descriptor], is_spared: impl Fn(Sha256) -> bool) -> Vec<Kept> {
        let mut told = self.told(listed);
        let mut seen = HashSet::new();
        let whole = |image: &Descriptor| {
            let digest = sha256(image).filter(|digest| seen.insert(*digest))?;
            let mut blobs = self.blobs_of(image)?;
            let mut referrers = Vec::new();
            for (referrer, its_blobs) in told.remove(&digest).unwrap_or_default() {
                referrers.push(referrer);
                blobs.extend(its_blobs);
            }
            let is_spared = is_spared(digest);
            if is_spared {
                // One whose time cannot be set stays all the same.
                let _ = self.touch(digest);
            }
            let used = fs::metadata(self.blob_path(digest)).ok()?.modified().ok()?;
            Some(Kept { digest, is_spared, used, referrers, blobs })
        };
        listed.iter().filter(|listed| !is_referrer(listed)).filter_map(whole).collect()
    }

    /// What is told of images and is there, with its blobs, by the image that it is told of.
    fn told(&self, listed: &[Descriptor]) -> HashMap<Sha256, Vec<Told>> {
        let mut told: HashMap<Sha256, Vec<Told>> = HashMap::new();
        for referrer in listed.iter().filter(|listed| is_referrer(listed)) {
            let subject = self.manifest(referrer).ok();
            let subject = subject.and_then(|manifest| sha256(manifest.subject().as_ref()?));
            if let (Some(image), Some(digest), Some(blobs)) =
                (subject, sha256(referrer), self.blobs_of(referrer))
            {
                told.entry(image).or_default().push((digest, blobs));
            }
        }
        told
    }

    fn blobs_of(&self, image: &Descriptor) -> Option<HashMap<Sha256, u64>> {
        let document = Document::parse(&self.read_blob(image).ok()?).ok()?;
        let parts: Vec<&Descriptor> = match &document {
            Document::One(manifest) => {
                [image, manifest.config()].into_iter().chain(manifest.layers()).collect()
            }
            // The images in it are listed by themselves.
            Document::Several(_) => vec![image],
        };
        let parts = parts.into_iter();
        let sized = parts.map(|part| {
            let digest = sha256(part)?;
            let file = fs::symlink_metadata(self.blob_path(digest)).ok()?;
            file.is_file().then_some((digest, file.len()))
        });
        sized.collect()
    }

    /// How many bytes that freed.
    fn remove_blobs_but(
        &self,
        kept: &HashSet<Sha256>,
        is_on_its_way: impl Fn(&Path, SystemTime) -> bool,
    ) -> Result<u64, LayoutError> {
        let stays = |path: &Path| {
            let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
            modified.is_ok_and(|modified| is_on_its_way(path, modified))
        };
        let kept: HashSet<_> = kept.iter().map(|digest| self.blob_path(*digest)).collect();
        let directory = self.blobs();
        let (mut freed, mut failure) = (0, None);
        for entry in fs::read_dir(&directory).map_err(using(&directory))? {
            let path = entry.map_err(using(&directory))?.path();
            if kept.contains(&path) || stays(&path) {
                continue;
            }
            match remove(&path).map_err(using(&path)) {
                Ok(bytes) => freed += bytes,
                Err(error) => _ = failure.get_or_insert(error),
            }
        }
        failure.map_or(Ok(freed), Err)
    }
}

/// Removes whatever lies there; its size, as far as it is a file.
fn remove(path: &Path) -> io::Result<u64> {
    let metadata = path.symlink_metadata()?;
    if metadata.is_dir() {
        fs::remove_dir_all(path)?;
        return Ok(0);
    }
    fs::remove_file(path)?;
    Ok(if metadata.is_file() { metadata.len() } else { 0 })
}

/// Leaves as many of the images, from the first on, as the limit has room for, and all that are
/// spared; their blobs.
fn within(limit: u64, images: &mut Vec<Kept>) -> HashSet<Sha256> {
    let (mut blobs, mut bytes, mut has_room) = (HashSet::new(), 0_u64, true);
    images.retain(|image| {
        let further = image.blobs.iter().filter(|(blob, _)| !blobs.contains(*blob));
        // What lies in a blob's place may be of any size.
        let with_it = further.fold(bytes, |sum, (_, size)| sum.saturating_add(*size));
        has_room &= with_it <= limit;
        let stays = has_room || image.is_spared;
        if stays {
            bytes = with_it;
            blobs.extend(image.blobs.keys().copied());
        }
        stays
    });
    blobs
}
