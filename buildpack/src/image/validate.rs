//! One judge of images: everything that is wrong with one, not just the first thing.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};

use oci_spec::image::{Descriptor, ImageConfiguration, ImageManifest, MediaType};
use serde::de::DeserializeOwned;

use super::config::CREATED;
use super::layout::MAX_JSON_BYTES;
use super::unpack::drain;
use super::{Fault, Layout, LayoutError, plain_file, sha256};
use crate::archive::{
    ArchiveError, Entry, EntryFault, EntryPath, Kind, Limits, Link, Stamp, Visit, gunzip, scan,
};
use crate::digest::{Hashing, Sha256};

/// Checks digest, size, media type and diff ID of everything in the image `digest`; that
/// manifest, configuration and layers agree; and that each layer is safe to unpack and the same
/// whoever made it. An empty list means that the image is good.
///
/// Only a layout whose index cannot be read is an error.
pub fn validate(layout: &Layout, digest: Sha256) -> Result<Vec<Fault>, LayoutError> {
    let mut judge =
        Judge { layout, faults: Vec::new(), executables: BTreeSet::new(), links: BTreeSet::new() };
    match layout.find(digest)? {
        None => judge.faults.push(Fault::NotInIndex(digest)),
        Some(image) => judge.image(&image),
    }
    Ok(judge.faults)
}

struct Judge<'a> {
    layout: &'a Layout,
    faults: Vec<Fault>,
    executables: BTreeSet<String>,
    /// The links of all layers so far.
    links: BTreeSet<String>,
}

/// What is wrong with an entry that would be written to where a link leads.
const THROUGH_A_LINK: &str = "lies where a layer has a link";

impl Judge<'_> {
    fn image(&mut self, image: &Descriptor) {
        let Some(manifest) = self.document::<ImageManifest>(image, &MediaType::ImageManifest)
        else {
            return;
        };
        self.manifest(image, &manifest);
        let config = manifest.config();
        let configuration = self.document::<ImageConfiguration>(config, &MediaType::ImageConfig);
        let diff_ids = configuration
            .as_ref()
            .map(|configuration| configuration.rootfs().diff_ids().as_slice())
            .unwrap_or_default();
        for (number, layer) in manifest.layers().iter().enumerate() {
            self.layer(layer, diff_ids.get(number));
        }
        if let Some(configuration) = &configuration {
            self.configuration(configuration, manifest.layers().len(), image);
            self.program(configuration);
        }
    }

    /// Reads a JSON blob and checks it against its descriptor.
    fn document<T: DeserializeOwned>(
        &mut self,
        descriptor: &Descriptor,
        kind: &MediaType,
    ) -> Option<T> {
        let blob = self.describes(descriptor, kind)?;
        let (file, size) = self.open(blob)?;
        self.size(blob, descriptor.size(), size);
        let mut bytes = Vec::new();
        if let Err(error) = file.take(MAX_JSON_BYTES).read_to_end(&mut bytes) {
            self.unreadable(blob, &error);
            return None;
        }
        let actual = Sha256::of(&bytes);
        if actual != blob {
            self.faults.push(Fault::Digest { blob, actual });
        }
        match serde_json::from_slice(&bytes) {
            Ok(document) => Some(document),
            Err(error) => {
                let reason = error.to_string();
                self.faults.push(Fault::Malformed { blob, reason });
                None
            }
        }
    }

    fn manifest(&mut self, image: &Descriptor, manifest: &ImageManifest) {
        let Some(blob) = sha256(image) else { return };
        let expected = MediaType::ImageManifest;
        let actual = manifest.media_type().as_ref();
        if actual != Some(&expected) {
            self.faults.push(Fault::MediaType {
                blob,
                expected: expected.to_string(),
                actual: actual.map(ToString::to_string).unwrap_or_default(),
            });
        }
        if manifest.schema_version() != 2 {
            let reason = format!("its schema version is {}", manifest.schema_version());
            self.faults.push(Fault::Malformed { blob, reason });
        }
        if manifest.layers().is_empty() {
            let reason = "it has no layers".to_owned();
            self.faults.push(Fault::Malformed { blob, reason });
        }
    }

    fn configuration(
        &mut self,
        configuration: &ImageConfiguration,
        layers: usize,
        image: &Descriptor,
    ) {
        let mut expect = |field, expected: &str, actual: &str| {
            if expected != actual {
                self.faults.push(Fault::Configuration {
                    field,
                    expected: expected.to_owned(),
                    actual: actual.to_owned(),
                });
            }
        };
        expect("rootfs type", "layers", configuration.rootfs().typ());
        expect("creation time", CREATED, configuration.created().as_deref().unwrap_or_default());
        if let Some(platform) = image.platform() {
            let (os, architecture) = (platform.os(), platform.architecture());
            expect("os", &os.to_string(), &configuration.os().to_string());
            let actual = configuration.architecture().to_string();
            expect("architecture", &architecture.to_string(), &actual);
        }
        let history = configuration.history().as_deref().unwrap_or_default();
        let filled = history.iter().filter(|step| step.empty_layer() != Some(true));
        for step in history {
            expect("history time", CREATED, step.created().as_deref().unwrap_or_default());
        }
        let diff_ids = configuration.rootfs().diff_ids().len();
        for (what, actual) in [("diff IDs", diff_ids), ("steps of history", filled.count())] {
            if actual != layers {
                self.faults.push(Fault::Count { what, layers, actual });
            }
        }
    }

    fn program(&mut self, configuration: &ImageConfiguration) {
        let entrypoint =
            configuration.config().as_ref().and_then(|config| config.entrypoint().as_ref());
        let program = entrypoint.and_then(|words| words.first()).map_or("", String::as_str);
        // A name without a path is that of a runtime, which is found in the PATH of whoever runs it.
        if !program.is_empty() && !program.contains('/') {
            return;
        }
        if !self.executables.contains(program.trim_start_matches('/')) {
            self.faults.push(Fault::Program(program.to_owned()));
        }
    }

    fn layer(&mut self, descriptor: &Descriptor, diff_id: Option<&String>) {
        let Some(layer) = self.describes(descriptor, &MediaType::ImageLayerGzip) else {
            return;
        };
        let Some((file, size)) = self.open(layer) else {
            return;
        };
        self.size(layer, descriptor.size(), size);
        if descriptor.size() > Limits::LAYER.bytes {
            let reason = format!("is larger than {} bytes", Limits::LAYER.bytes);
            self.faults.push(Fault::Layer { layer, reason });
            return;
        }
        // What lies in its place may be far larger, and is not worth reading then.
        let mut compressed = Hashing::new(file.take(descriptor.size()));
        let content = self.layer_content(layer, &mut compressed);
        if let Err(error) = drain(&mut compressed) {
            self.layer_fault(layer, &error);
        }
        let (_, actual, _) = compressed.finish();
        if actual != layer {
            self.faults.push(Fault::Digest { blob: layer, actual });
        }
        if let (Some(actual), Some(expected)) = (content, diff_id)
            && actual.to_string() != *expected
        {
            let expected = expected.clone();
            self.faults.push(Fault::DiffId { layer, expected, actual });
        }
    }

    /// Looks at every entry; the layer's diff ID, if it could be read to its end.
    fn layer_content(&mut self, layer: Sha256, compressed: &mut dyn Read) -> Option<Sha256> {
        let mut header = [0; 10];
        let read = compressed.read_exact(&mut header);
        if header[..2] == [0x1f, 0x8b] && (header[3] != 0 || header[4..8] != [0; 4]) {
            let reason = "has a name or a time in its gzip header".to_owned();
            self.faults.push(Fault::Layer { layer, reason });
        }
        let scanned = read.map_err(ArchiveError::reading).and_then(|()| {
            let mut content = Hashing::new(gunzip(header.chain(compressed))?);
            let mut entries = Entries { layer, judge: self, last: String::new() };
            scan(&mut content, Limits::LAYER, &mut entries)?;
            Ok(content.finish().1)
        });
        scanned.inspect_err(|error| self.layer_fault(layer, error)).ok()
    }

    fn layer_fault(&mut self, layer: Sha256, error: &ArchiveError) {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
        let reason = format!("is damaged: {error}{}", cause.unwrap_or_default());
        self.faults.push(Fault::Layer { layer, reason });
    }

    /// The digest that a descriptor names, after a look at its media type.
    fn describes(&mut self, descriptor: &Descriptor, kind: &MediaType) -> Option<Sha256> {
        let Some(blob) = sha256(descriptor) else {
            let digest = descriptor.digest().to_string();
            self.faults.push(Fault::Algorithm(digest));
            return None;
        };
        if descriptor.media_type() != kind {
            self.faults.push(Fault::MediaType {
                blob,
                expected: kind.to_string(),
                actual: descriptor.media_type().to_string(),
            });
        }
        Some(blob)
    }

    fn open(&mut self, blob: Sha256) -> Option<(File, u64)> {
        let path = self.layout.blob_path(blob);
        plain_file::open(&path).inspect_err(|error| self.unreadable(blob, error)).ok()
    }

    fn size(&mut self, blob: Sha256, expected: u64, actual: u64) {
        if expected != actual {
            self.faults.push(Fault::Size { blob, expected, actual });
        }
    }

    fn unreadable(&mut self, blob: Sha256, error: &io::Error) {
        let reason = error.to_string();
        self.faults.push(Fault::Unreadable { blob, reason });
    }
}

/// Visits the entries of one layer.
struct Entries<'a, 'b> {
    layer: Sha256,
    judge: &'a mut Judge<'b>,
    last: String,
}

impl Visit for Entries<'_, '_> {
    type Error = ArchiveError;

    fn entry(&mut self, entry: Entry<'_>) -> Result<(), ArchiveError> {
        self.stamped(&entry.path, entry.stamp);
        if entry.mode & 0o6000 != 0 {
            self.push(entry.path.to_string(), "sets the user or group ID".to_owned());
        }
        if entry.kind == Kind::Directory && self.judge.links.contains(entry.path.as_str()) {
            self.push(entry.path.to_string(), THROUGH_A_LINK.to_owned());
        }
        if entry.kind == Kind::File && entry.mode & 0o001 != 0 {
            self.judge.executables.insert(entry.path.to_string());
        }
        self.last = entry.path.to_string();
        Ok(())
    }

    fn link(&mut self, link: Link) -> Result<(), ArchiveError> {
        self.stamped(&link.path, link.stamp);
        self.last = link.path.to_string();
        self.judge.links.insert(self.last.clone());
        Ok(())
    }

    fn fault(&mut self, path: String, fault: EntryFault) -> Result<(), ArchiveError> {
        self.push(path, fault.to_string());
        Ok(())
    }
}

impl Entries<'_, '_> {
    /// What is to be the same of every entry.
    fn stamped(&mut self, path: &EntryPath, stamp: Stamp) {
        let through_a_link = path.ancestors().any(|above| self.judge.links.contains(above));
        let faults = [
            (stamp.mtime != 0, "has a modification time"),
            (stamp.owner != (0, 0), "does not belong to root"),
            (path.as_str() <= self.last.as_str(), "is out of order"),
            (through_a_link, THROUGH_A_LINK),
        ];
        for (wrong, reason) in faults {
            if wrong {
                self.push(path.to_string(), reason.to_owned());
            }
        }
    }

    fn push(&mut self, path: String, reason: String) {
        let layer = self.layer;
        self.judge.faults.push(Fault::Entry { layer, path, reason });
    }
}
