//! How a layer is compressed that somebody else has made.

use std::io::Read;

use oci_spec::image::Descriptor;

use crate::archive::{ArchiveError, gunzip, unzstd};

/// What the media types of layers begin with, those included that nobody is to pass on (containerd
/// `core/images/mediatypes.go`).
const LAYERS: [&str; 4] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
];

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    /// Not at all.
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// By the media type: one of the OCI image specification's (`layer.md`), or of Docker's.
    pub(super) fn of(layer: &Descriptor) -> Option<Self> {
        let kind = layer.media_type().to_string();
        let kind = LAYERS.iter().find_map(|layer| kind.strip_prefix(layer))?;
        match kind {
            "" => Some(Self::None),
            "+gzip" | ".gzip" => Some(Self::Gzip),
            "+zstd" | ".zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// What the layer holds.
    pub(super) fn open<'a>(
        self,
        layer: impl Read + 'a,
    ) -> Result<Box<dyn Read + 'a>, ArchiveError> {
        Ok(match self {
            Self::None => Box::new(layer),
            Self::Gzip => Box::new(gunzip(layer)?),
            Self::Zstd => Box::new(unzstd(layer)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use oci_spec::image::{Digest, MediaType};

    use super::*;

    #[test]
    fn media_types() {
        let digest = Digest::from_str(&format!("sha256:{}", "0".repeat(64))).unwrap();
        for (kind, expected) in [
            ("vnd.oci.image.layer.v1.tar", Some(Compression::None)),
            ("vnd.oci.image.layer.v1.tar+gzip", Some(Compression::Gzip)),
            ("vnd.oci.image.layer.v1.tar+zstd", Some(Compression::Zstd)),
            ("vnd.oci.image.layer.nondistributable.v1.tar+zstd", Some(Compression::Zstd)),
            ("vnd.docker.image.rootfs.diff.tar", Some(Compression::None)),
            ("vnd.docker.image.rootfs.diff.tar.gzip", Some(Compression::Gzip)),
            ("vnd.docker.image.rootfs.diff.tar.zstd", Some(Compression::Zstd)),
            ("vnd.docker.image.rootfs.foreign.diff.tar.gzip", Some(Compression::Gzip)),
            ("vnd.oci.image.layer.v1.tar+gzip+encrypted", None),
            ("vnd.cncf.helm.chart.content.v1.tar+gzip", None),
            ("vnd.oci.empty.v1+json", None),
        ] {
            let kind = MediaType::Other(format!("application/{kind}"));
            let layer = Descriptor::new(kind.clone(), 1, digest.clone());
            assert_eq!(Compression::of(&layer), expected, "{kind}");
        }
    }
}
