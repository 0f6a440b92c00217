//! The image's configuration and manifest: pure functions of platform, source and layers.

use std::collections::HashMap;

use oci_spec::image::{
    ANNOTATION_REVISION, ANNOTATION_TITLE, Config, ConfigBuilder, Descriptor, History,
    HistoryBuilder, ImageConfiguration, ImageConfigurationBuilder, ImageManifest,
    ImageManifestBuilder, MediaType, RootFsBuilder,
};

use super::base::{CHAINCODE_GROUP_ID, CHAINCODE_USER_ID};
use super::form::{Form, Start};
use crate::digest::Sha256;
use crate::platform::Platform;

/// When everything was made: the same on every machine.
pub(super) const CREATED: &str = "1970-01-01T00:00:00Z";

/// What the lowest layer is.
const BASE: &str = "base";

/// The configuration. It names the source but no package: the label and the package's metadata
/// must not change what the same source becomes.
pub(super) fn configuration(
    platform: Platform,
    source: Sha256,
    form: &Form,
    diff_ids: &[Sha256],
) -> oci_spec::Result<ImageConfiguration> {
    let rootfs = RootFsBuilder::default()
        .typ("layers")
        .diff_ids(diff_ids.iter().map(ToString::to_string).collect::<Vec<_>>())
        .build()?;
    let layers = [BASE].into_iter().chain(form.layers.iter().map(|layer| layer.what()));
    let history = layers.map(history);
    ImageConfigurationBuilder::default()
        .created(CREATED)
        .architecture(platform.architecture())
        .os(platform.os())
        .config(execution(source, &form.start)?)
        .rootfs(rootfs)
        .history(history.collect::<oci_spec::Result<Vec<_>>>()?)
        .build()
}

/// How a container starts. The launcher appends its own arguments to the entry point
/// ([`Language::arguments`](crate::language::Language::arguments)).
fn execution(source: Sha256, start: &Start) -> oci_spec::Result<Config> {
    ConfigBuilder::default()
        .user(format!("{CHAINCODE_USER_ID}:{CHAINCODE_GROUP_ID}"))
        .env(start.environment.clone())
        .entrypoint(start.entrypoint.clone())
        .working_dir(start.directory)
        .labels(HashMap::from([
            (ANNOTATION_TITLE.to_owned(), "Fabric chaincode".to_owned()),
            (ANNOTATION_REVISION.to_owned(), source.to_string()),
        ]))
        .build()
}

fn history(layer: &str) -> oci_spec::Result<History> {
    HistoryBuilder::default().created(CREATED).created_by(format!("selvedge: {layer}")).build()
}

/// The manifest.
pub(super) fn manifest(
    config: Descriptor,
    layers: Vec<Descriptor>,
) -> oci_spec::Result<ImageManifest> {
    ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(layers)
        .build()
}

#[cfg(test)]
mod tests {
    use super::super::descriptor::canonical_json;
    use super::*;

    /// Changing these bytes changes the digest of every image that anybody has: do it on purpose.
    #[test]
    fn golden_configuration() {
        let diff_ids = [Sha256::of(b"base"), Sha256::of(b"chaincode")];
        let (platform, source) = (Platform::LinuxAmd64, Sha256::of(b"source"));
        let config = configuration(platform, source, &Form::program(), &diff_ids).unwrap();
        let json = String::from_utf8(canonical_json(&config).unwrap()).unwrap();
        assert_eq!(json, include_str!("../../tests/golden/config.json").trim_end());
    }
}
