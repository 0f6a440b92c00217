//! An image that stands on another one: on a language's runtime, of which nothing is known but what
//! its registry says of it. Its layers lie below those of the image, and are nobody's to judge.

use std::collections::BTreeMap;

use oci_spec::image::{
    Descriptor, HistoryBuilder, ImageConfiguration, ImageManifest, MediaType, RootFsBuilder,
};

use super::config::{CREATED, configuration, manifest};
use super::descriptor::{canonical_json, describe};
use super::{Layout, LayoutError, Origin};
use crate::digest::Sha256;
use crate::platform::Platform;

/// A runtime's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    layers: Vec<Descriptor>,
    diff_ids: Vec<String>,
    environment: Vec<String>,
}

/// Why no chaincode can stand on an image. Reads as the end of a sentence that began with its name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnfitRuntime {
    /// It is for other machines.
    #[error("is for {found}, and chaincode runs on {wanted}")]
    Platform {
        /// What it is for.
        found: String,
        /// What chaincode is for.
        wanted: Platform,
    },
    /// Manifest and configuration disagree.
    #[error("has {layers} layers and {diff_ids} diff IDs")]
    Inconsistent {
        /// Layers in the manifest.
        layers: usize,
        /// Diff IDs in the configuration.
        diff_ids: usize,
    },
    /// A layer of a kind that an OCI image cannot have.
    #[error("has a layer of the media type `{0}`")]
    Layer(String),
}

impl Runtime {
    /// What there is to know of the image with this manifest and configuration.
    pub fn new(
        manifest: &ImageManifest,
        configuration: &ImageConfiguration,
        platform: Platform,
    ) -> Result<Self, UnfitRuntime> {
        let found = format!("{}/{}", configuration.os(), configuration.architecture());
        if found != platform.to_string() {
            return Err(UnfitRuntime::Platform { found, wanted: platform });
        }
        let (layers, diff_ids) = (manifest.layers(), configuration.rootfs().diff_ids());
        if layers.len() != diff_ids.len() || layers.is_empty() {
            let (layers, diff_ids) = (layers.len(), diff_ids.len());
            return Err(UnfitRuntime::Inconsistent { layers, diff_ids });
        }
        let environment = configuration.config().as_ref().and_then(|config| config.env().clone());
        Ok(Self {
            layers: layers.iter().map(as_oci).collect::<Result<_, _>>()?,
            diff_ids: diff_ids.clone(),
            environment: environment.unwrap_or_default(),
        })
    }

    /// Its layers, from the lowest up.
    pub fn layers(&self) -> &[Descriptor] {
        &self.layers
    }

    /// Lays an image of the layout over the runtime: the one that is to be run, whose own layers
    /// and description are in the layout then, and the runtime's are not.
    pub fn below(&self, layout: &Layout, image: &Descriptor) -> Result<Descriptor, LayoutError> {
        let plain = layout.manifest(image)?;
        let configured = layout.configuration(&plain)?;
        let config = layout.keep(MediaType::ImageConfig, &self.configuration(&configured)?)?;
        let layers = self.layers.iter().chain(plain.layers()).cloned().collect();
        let whole = layout.keep(MediaType::ImageManifest, &manifest(config, layers)?)?;
        layout.adopt(&whole)?;
        Ok(whole)
    }

    fn configuration(&self, plain: &ImageConfiguration) -> Result<ImageConfiguration, LayoutError> {
        let mut whole = plain.clone();
        let diff_ids = self.diff_ids.iter().chain(plain.rootfs().diff_ids()).cloned();
        whole.set_rootfs(
            RootFsBuilder::default()
                .typ("layers")
                .diff_ids(diff_ids.collect::<Vec<_>>())
                .build()?,
        );
        let step =
            HistoryBuilder::default().created(CREATED).created_by("selvedge: runtime").build()?;
        let runtime = std::iter::repeat_n(step, self.layers.len());
        let own = plain.history().clone().unwrap_or_default();
        whole.set_history(Some(runtime.chain(own).collect()));
        let mut config = plain.config().clone().unwrap_or_default();
        let own = config.env().clone().unwrap_or_default();
        config.set_env(Some(merged(&self.environment, &own)));
        whole.set_config(Some(config));
        Ok(whole)
    }

    /// The image that was laid over the runtime to make `image`, without it, to be judged as one
    /// that a build left; none if that is not how it was made. The runtime's layers need not be in
    /// the layout.
    pub fn lifted(
        &self,
        layout: &Layout,
        image: &Descriptor,
        origin: &Origin,
    ) -> Result<Option<Descriptor>, LayoutError> {
        let whole = layout.manifest(image)?;
        let configured = layout.configuration(&whole)?;
        let diff_ids = configured.rootfs().diff_ids();
        let own = diff_ids.get(self.layers.len()..).unwrap_or_default();
        let own: Vec<Sha256> = own.iter().filter_map(|diff_id| diff_id.parse().ok()).collect();
        let Some(layers) = whole.layers().get(self.layers.len()..) else { return Ok(None) };
        let config = configuration(origin.platform, origin.source, &origin.form, &own)?;
        let config = layout.keep(MediaType::ImageConfig, &config)?;
        let plain = layout.keep(MediaType::ImageManifest, &manifest(config, layers.to_vec())?)?;
        layout.adopt(&plain)?;
        // By which all else that the whole says is compared.
        let made = self.below(layout, &plain)?;
        Ok((made.digest() == image.digest()).then_some(plain))
    }
}

impl Layout {
    /// Keeps a document.
    fn keep(
        &self,
        kind: MediaType,
        document: &impl serde::Serialize,
    ) -> Result<Descriptor, LayoutError> {
        let malformed = |source| LayoutError::Malformed { path: self.root().to_owned(), source };
        let json = canonical_json(document).map_err(malformed)?;
        let digest = Sha256::of(&json);
        self.write_blob(digest, &json)?;
        Ok(describe(kind, digest, json.len() as u64)?)
    }
}

/// What Docker's own media types of layers begin with.
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// A layer as an OCI image names it. Docker's own media types mean the same bytes
/// (`media-types.md` of the image specification, its table of compatibility).
fn as_oci(layer: &Descriptor) -> Result<Descriptor, UnfitRuntime> {
    let kind = match layer.media_type() {
        kind @ (MediaType::ImageLayer | MediaType::ImageLayerGzip | MediaType::ImageLayerZstd) => {
            kind.clone()
        }
        MediaType::Other(kind) => match kind.strip_prefix(DOCKER_LAYER) {
            Some("") => MediaType::ImageLayer,
            Some(".gzip") => MediaType::ImageLayerGzip,
            Some(".zstd") => MediaType::ImageLayerZstd,
            _ => return Err(UnfitRuntime::Layer(kind.clone())),
        },
        other => return Err(UnfitRuntime::Layer(other.to_string())),
    };
    Ok(Descriptor::new(kind, layer.size(), layer.digest().clone()))
}

/// The variables of both, sorted by name; the image's own win.
fn merged(runtime: &[String], own: &[String]) -> Vec<String> {
    let pairs = runtime.iter().chain(own).filter_map(|pair| pair.split_once('='));
    let merged: BTreeMap<&str, &str> = pairs.collect();
    merged.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Base, Form, ImagePlan, Part, Tag, assemble, sha256};
    use super::*;

    /// A runtime of two layers that nobody has.
    fn runtime(architecture: &str) -> Result<Runtime, UnfitRuntime> {
        let layer = |kind: &str, content: &[u8]| json!({ "mediaType": kind, "size": 1, "digest": Sha256::of(content).to_string() });
        let manifest = json!({
            "schemaVersion": 2,
            "config": layer("application/vnd.docker.container.image.v1+json", b"config"),
            "layers": [
                layer("application/vnd.docker.image.rootfs.diff.tar.gzip", b"a"),
                layer("application/vnd.oci.image.layer.v1.tar+gzip", b"b"),
            ],
        });
        let config = json!({
            "os": "linux",
            "architecture": architecture,
            "config": { "Env": ["PATH=/usr/local/bin:/bin", "NODE_VERSION=24"], "User": "node" },
            "rootfs": { "type": "layers", "diff_ids": [Sha256::of(b"A").to_string(), Sha256::of(b"B").to_string()] },
        });
        let manifest = serde_json::from_value(manifest).unwrap();
        Runtime::new(&manifest, &serde_json::from_value(config).unwrap(), Platform::LinuxAmd64)
    }

    struct Scene {
        _directory: tempfile::TempDir,
        layout: Layout,
        image: Descriptor,
        origin: Origin,
    }

    fn scene() -> Scene {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(&directory.path().join("images")).unwrap();
        let program = directory.path().join("program");
        std::fs::write(&program, "#!program\n").unwrap();
        let pem = "-----BEGIN CERTIFICATE-----\nQUFB\n-----END CERTIFICATE-----\n";
        let base = Base::from_pem(pem).unwrap();
        let origin = Origin {
            base: base.diff_id().unwrap(),
            source: Sha256::of(b"source"),
            form: Form::program(),
            platform: Platform::LinuxAmd64,
        };
        let plan = ImagePlan {
            base: &base,
            form: &origin.form,
            parts: &[Part::Program(program)],
            source: origin.source,
            platform: origin.platform,
        };
        let tag: Tag = "image".parse().unwrap();
        let image = assemble(&plan, &layout.scratch()).unwrap();
        let image = layout.add(image, &tag).unwrap();
        Scene { _directory: directory, layout, image, origin }
    }

    #[test]
    fn an_image_over_a_runtime_and_lifted_from_it() {
        let Scene { layout, image, origin, .. } = &scene();
        // As it is where the image came as an archive.
        std::fs::remove_dir_all(layout.scratch()).unwrap();
        let runtime = runtime("amd64").unwrap();
        let whole = runtime.below(layout, image).unwrap();
        let manifest = layout.manifest(&whole).unwrap();
        let config = layout.configuration(&manifest).unwrap();
        assert_eq!(manifest.layers()[..2], runtime.layers);
        assert_eq!(manifest.layers()[2..], layout.manifest(image).unwrap().layers()[..]);
        assert_eq!(config.rootfs().diff_ids().len(), 4);
        assert_eq!(config.history().as_ref().unwrap().len(), 4);
        let started = config.config().as_ref().unwrap();
        let environment = ["NODE_VERSION=24", "PATH=/usr/local/bin"].map(str::to_owned);
        assert_eq!(started.env().as_deref(), Some(&environment[..]));
        assert_eq!(started.user().as_deref(), Some("65532:65532"));

        let lifted = runtime.lifted(layout, &whole, origin).unwrap().unwrap();
        assert_eq!(sha256(&lifted), sha256(image));
        assert!(origin.made(layout, &lifted).unwrap());
    }

    #[test]
    fn what_was_laid_over_another_runtime_is_not_lifted() {
        let Scene { layout, image, origin, .. } = &scene();
        let runtime = runtime("amd64").unwrap();
        let whole = runtime.below(layout, image).unwrap();
        let other = Runtime { environment: Vec::new(), ..runtime.clone() };
        assert_eq!(other.lifted(layout, &whole, origin).unwrap(), None);
        let lower = Runtime {
            layers: runtime.layers[..1].to_vec(),
            diff_ids: runtime.diff_ids[..1].to_vec(),
            ..runtime.clone()
        };
        assert_eq!(lower.lifted(layout, &whole, origin).unwrap(), None);
        assert_eq!(runtime.lifted(layout, image, origin).unwrap(), None);
        let another = Origin { source: Sha256::of(b"another"), ..origin.clone() };
        assert_eq!(runtime.lifted(layout, &whole, &another).unwrap(), None);
    }

    #[test]
    fn for_other_machines() {
        let told = runtime("arm64").unwrap_err().to_string();
        assert_eq!(told, "is for linux/arm64, and chaincode runs on linux/amd64");
    }

    #[test]
    fn layers_of_dockers_media_types_are_those_of_oci() {
        let digest = oci_spec::image::Digest::try_from(Sha256::of(b"a").to_string()).unwrap();
        for (end, expected) in [
            ("", Some(MediaType::ImageLayer)),
            (".gzip", Some(MediaType::ImageLayerGzip)),
            (".zstd", Some(MediaType::ImageLayerZstd)),
            (".xz", None),
        ] {
            let kind = MediaType::Other(format!("{DOCKER_LAYER}{end}"));
            let named = as_oci(&Descriptor::new(kind, 1, digest.clone()));
            assert_eq!(named.ok().map(|layer| layer.media_type().clone()), expected, "{end}");
        }
    }
}
