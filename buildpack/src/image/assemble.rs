//! From what a build made to an image.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageConfiguration, MediaType};

use super::base::entry;
use super::config::{configuration, manifest};
use super::descriptor::{canonical_json, describe};
use super::form::{Form, LayerForm};
use super::tree::Tree;
use super::{Base, Layer};
use crate::archive::Packing;
use crate::digest::Sha256;
use crate::platform::Platform;

/// What an image is made from.
#[derive(Clone, Copy, Debug)]
pub struct ImagePlan<'a> {
    /// The base layer.
    pub base: &'a Base,
    /// What is laid over it, and how it is started.
    pub form: &'a Form,
    /// What each of the form's layers is made of.
    pub parts: &'a [Part],
    /// The digest of the source, which the image names as its revision.
    pub source: Sha256,
    /// What it was compiled for.
    pub platform: Platform,
}

/// What one layer is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The chaincode's executable.
    Program(PathBuf),
    /// Files.
    Tree(Tree),
}

/// A whole image that is in no layout yet. Its layers are temporary files.
#[derive(Debug)]
pub struct Image {
    /// What names the image: its manifest's digest, size and media type.
    pub descriptor: Descriptor,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The configuration.
    pub config: Vec<u8>,
    /// The layers, from the lowest up.
    pub layers: Vec<Layer>,
    pub(super) digest: Sha256,
    pub(super) config_digest: Sha256,
    pub(super) platform: Platform,
}

/// Why an image could not be assembled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// A layer could not be written.
    #[error("cannot write an image layer in {scratch} from {content}")]
    Layer {
        /// Where the layers go.
        scratch: PathBuf,
        /// What was to be put in.
        content: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The configuration or manifest could not be made.
    #[error("cannot describe the image")]
    Describe(#[from] oci_spec::OciSpecError),
}

impl Form {
    /// Makes sure that an image of this form can be made of these parts, as far as that can be told
    /// without making it.
    pub fn check(&self, parts: &[Part]) -> io::Result<()> {
        self.layers.iter().zip(parts).try_for_each(|layer| match layer {
            (LayerForm::Below { directory, .. }, Part::Tree(tree)) => tree.check(directory),
            _ => Ok(()),
        })
    }
}

impl Image {
    /// An image of these layers, from the lowest up, whose configuration names the same ones.
    pub fn new(
        layers: Vec<Layer>,
        configuration: &ImageConfiguration,
        platform: Platform,
    ) -> Result<Self, AssembleError> {
        let config = json(configuration)?;
        let config_digest = Sha256::of(&config);
        let descriptors = layers.iter().map(|layer| layer.descriptor.clone()).collect();
        let config_descriptor =
            describe(MediaType::ImageConfig, config_digest, config.len() as u64)?;
        let manifest = json(&manifest(config_descriptor, descriptors)?)?;
        let digest = Sha256::of(&manifest);
        Ok(Self {
            descriptor: describe(MediaType::ImageManifest, digest, manifest.len() as u64)?,
            manifest,
            config,
            layers,
            digest,
            config_digest,
            platform,
        })
    }

    /// The digest that names the image.
    pub fn digest(&self) -> Sha256 {
        self.digest
    }
}

/// Assembles an image. The layers are written to temporary files in `scratch`, which must be in
/// the file system of the layout that the image will be added to:
/// [`Layout::scratch`](super::Layout::scratch).
pub fn assemble(plan: &ImagePlan<'_>, scratch: &Path) -> Result<Image, AssembleError> {
    let failed = |content: String| {
        |source| AssembleError::Layer { scratch: scratch.to_owned(), content, source }
    };
    let base = plan.base.layer(scratch).map_err(failed("the base".to_owned()))?;
    let mut layers = vec![base];
    for (form, part) in plan.form.layers.iter().zip(plan.parts) {
        layers.push(layer(*form, part, scratch).map_err(failed(part.to_string()))?);
    }
    let diff_ids: Vec<Sha256> = layers.iter().map(|layer| layer.diff_id).collect();
    let configuration = configuration(plan.platform, plan.source, plan.form, &diff_ids)?;
    Image::new(layers, &configuration, plan.platform)
}

fn layer(form: LayerForm, part: &Part, scratch: &Path) -> io::Result<Layer> {
    match (form, part) {
        (LayerForm::Program, Part::Program(program)) => program_layer(program, scratch),
        (LayerForm::Below { directory, packing, .. }, Part::Tree(tree)) => {
            Layer::write(scratch, packing, |archive| tree.fill(archive, directory))
        }
        _ => Err(io::Error::other("it is not what the image's form says")),
    }
}

/// What the layer of a program holds besides that, in order. Directories are listed, so that they
/// are 0755 whoever unpacks the layer.
pub(super) const PROGRAM_DIRECTORIES: [&str; 3] = ["usr", "usr/local", "usr/local/bin"];

/// The program in its layer.
pub(super) const PROGRAM_ENTRY: &str = "usr/local/bin/chaincode";

/// The mode of each of them.
pub(super) const PROGRAM_MODE: u32 = 0o755;

fn program_layer(program: &Path, scratch: &Path) -> io::Result<Layer> {
    Layer::write(scratch, Packing::Deflated, |archive| {
        for directory in PROGRAM_DIRECTORIES {
            archive.directory(&entry(directory), PROGRAM_MODE)?;
        }
        archive.file_at(&entry(PROGRAM_ENTRY), PROGRAM_MODE, program)
    })
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(program) => program.display().fmt(f),
            Self::Tree(tree) => tree.root.join(tree.part).display().fmt(f),
        }
    }
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, AssembleError> {
    canonical_json(value).map_err(|error| AssembleError::Describe(error.into()))
}
