//! A manifest that is pushed, and what has to be there before it: of its content no more is looked at than
//! what a registry goes by (`manifest.md` and `image-index.md` of the image specification).

use std::collections::HashMap;

use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::oci_spec::image::{Descriptor, Digest, MediaType};
use serde::Deserialize;

/// The largest, in bytes: what the distribution specification wants registries to take.
pub(crate) const LARGEST: u64 = 4 << 20;

/// The version of all that are known.
const SCHEMA: u32 = 2;

/// What a manifest is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One image or artifact.
    One,
    /// Other manifests.
    Several,
}

/// The kinds that are taken.
const KINDS: [(&str, Kind); 4] = [
    ("application/vnd.oci.image.manifest.v1+json", Kind::One),
    ("application/vnd.oci.image.index.v1+json", Kind::Several),
    ("application/vnd.docker.distribution.manifest.v2+json", Kind::One),
    ("application/vnd.docker.distribution.manifest.list.v2+json", Kind::Several),
];

/// A manifest.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// Its kind, digest and size; where it refers to another one, the type of the artifact.
    pub(crate) descriptor: Descriptor,
    /// The blobs that it names, with their sizes.
    pub(crate) blobs: Vec<(Sha256, u64)>,
    /// The manifests that it names.
    pub(crate) manifests: Vec<Sha256>,
    /// What it refers to, which need not be there.
    pub(crate) subject: Option<Sha256>,
    /// What it says of itself.
    pub(crate) annotations: Option<HashMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Named>,
    layers: Option<Vec<Named>>,
    manifests: Option<Vec<Named>>,
    subject: Option<Named>,
    annotations: Option<HashMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    media_type: String,
    digest: String,
    size: u64,
}

impl Manifest {
    /// Reads one that was sent as of that media type; why it is none, otherwise.
    pub(crate) fn read(bytes: &[u8], media_type: &str) -> Result<Self, String> {
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let kind = KINDS.iter().find(|(known, _)| *known == media_type);
        let (_, kind) = kind.ok_or_else(|| format!("`{media_type}` is no type of manifests"))?;
        let said: Said = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if said.schema_version != SCHEMA {
            return Err(format!("its schemaVersion is {}, and not {SCHEMA}", said.schema_version));
        }
        if let Some(other) = said.media_type.as_deref().filter(|said| *said != media_type) {
            return Err(format!("it says that it is `{other}`, and was sent as `{media_type}`"));
        }
        let (mut blobs, mut manifests) = (Vec::new(), Vec::new());
        match (kind, &said.config, &said.manifests) {
            (Kind::One, Some(config), None) => {
                for blob in said.layers.iter().flatten().chain([config]) {
                    blobs.push((digest(&blob.digest)?, blob.size));
                }
            }
            (Kind::Several, None, Some(named)) => {
                for manifest in named {
                    manifests.push(digest(&manifest.digest)?);
                }
            }
            (Kind::One, ..) => return Err("it has no config, or names manifests".to_owned()),
            (Kind::Several, ..) => return Err("it names no manifests, or has a config".to_owned()),
        }
        let subject = said.subject.map(|subject| digest(&subject.digest)).transpose()?;
        let own = Digest::try_from(Sha256::of(bytes).to_string());
        let own = own.map_err(|error| error.to_string())?;
        let mut descriptor = Descriptor::new(media_type.into(), bytes.len() as u64, own);
        if subject.is_some() {
            let of_config = said.config.map(|config| config.media_type);
            let artifact_type = said.artifact_type.filter(|kind| !kind.is_empty()).or(of_config);
            descriptor.set_artifact_type(artifact_type.as_deref().map(MediaType::from));
        }
        Ok(Self { descriptor, blobs, manifests, subject, annotations: said.annotations })
    }
}

fn digest(text: &str) -> Result<Sha256, String> {
    text.parse().map_err(|_| format!("`{text}` is no SHA-256 digest, and others are not kept here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = KINDS[0].0;
    const INDEX: &str = KINDS[1].0;

    fn named(kind: &str) -> String {
        let digest = Sha256::of(kind.as_bytes());
        format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":3}}"#)
    }

    #[test]
    fn what_has_to_be_there_before_it() {
        let (config, layer) = (named("config"), named("layer"));
        let text =
            format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}],"more":1}}"#);
        let image = Manifest::read(text.as_bytes(), IMAGE).unwrap();
        let blob = |kind: &str| (Sha256::of(kind.as_bytes()), 3);
        assert_eq!(image.blobs, [blob("layer"), blob("config")]);
        assert_eq!((image.manifests.len(), image.subject), (0, None));
        assert_eq!(image.descriptor.artifact_type(), &None);

        let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, named("image"));
        let index = Manifest::read(text.as_bytes(), INDEX).unwrap();
        assert_eq!(index.manifests, [Sha256::of(b"image")]);
        assert_eq!(index.blobs, []);
    }

    #[test]
    fn what_refers_to_another_says_of_what_type_it_is() {
        let (config, subject) = (named("application/example"), named("image"));
        let refers = |more: &str| {
            let text = format!(
                r#"{{"schemaVersion":2,"config":{config},"layers":[],"subject":{subject}{more}}}"#
            );
            let read = Manifest::read(text.as_bytes(), IMAGE).unwrap();
            assert_eq!(read.subject, Some(Sha256::of(b"image")));
            read.descriptor.artifact_type().as_ref().unwrap().to_string()
        };
        assert_eq!(refers(""), "application/example");
        assert_eq!(refers(r#","artifactType":"application/sbom""#), "application/sbom");
    }

    #[test]
    fn what_is_no_manifest() {
        let config = named("config");
        let other = config.replace("sha256:", "sha512:");
        for (text, kind, reason) in [
            ("{}".to_owned(), IMAGE, "missing field"),
            ("[".to_owned(), IMAGE, "EOF"),
            (r#"{"schemaVersion":1}"#.to_owned(), IMAGE, "schemaVersion is 1"),
            (r#"{"schemaVersion":2}"#.to_owned(), IMAGE, "has no config"),
            (r#"{"schemaVersion":2}"#.to_owned(), INDEX, "names no manifests"),
            (format!(r#"{{"schemaVersion":2,"config":{other}}}"#), IMAGE, "no SHA-256 digest"),
            (format!(r#"{{"schemaVersion":2,"config":{config}}}"#), "text/plain", "no type of"),
            (
                format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","config":{config}}}"#),
                IMAGE,
                "was sent as",
            ),
        ] {
            let told = Manifest::read(text.as_bytes(), kind).unwrap_err();
            assert!(told.contains(reason), "{text}: {told}");
        }
    }
}
