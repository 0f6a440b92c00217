//! The Fabric releases that the testbed can raise.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

/// A Fabric release, built from the Go module in `fabric/<release>` of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Release {
    /// v3.1.1: the release that Selvedge is developed against.
    V3_1_1,
    /// v2.5.0: the first release of the long-term support line.
    V2_5_0,
}

/// A Fabric version that the testbed does not know.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("unknown Fabric release {0:?}; known are 3.1 (v3.1.1) and 2.5 (v2.5.0)")]
pub struct UnknownRelease(String);

impl Release {
    /// Every release, newest first.
    pub const ALL: [Self; 2] = [Self::V3_1_1, Self::V2_5_0];

    /// The release as Fabric tags it: `v3.1.1`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::V3_1_1 => "v3.1.1",
            Self::V2_5_0 => "v2.5.0",
        }
    }

    /// The Go module that pins the release's sources and all their dependencies.
    pub(crate) fn module_dir(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fabric").join(self.tag())
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

impl FromStr for Release {
    type Err = UnknownRelease;

    /// Accepts `3.1`, `3.1.1` and `v3.1.1`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix('v').unwrap_or(text) {
            "3.1" | "3.1.1" => Ok(Self::V3_1_1),
            "2.5" | "2.5.0" => Ok(Self::V2_5_0),
            _ => Err(UnknownRelease(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_full_and_tagged_versions_parse() {
        for text in ["3.1", "3.1.1", "v3.1.1"] {
            assert_eq!(text.parse(), Ok(Release::V3_1_1), "{text}");
        }
        for release in Release::ALL {
            assert_eq!(release.to_string().parse(), Ok(release));
        }
    }

    #[test]
    fn an_unknown_version_is_named_in_the_error() {
        let error = "1.4".parse::<Release>().unwrap_err().to_string();
        assert!(error.contains("\"1.4\""), "{error}");
    }

    #[test]
    fn every_release_has_a_pinned_module() {
        for release in Release::ALL {
            for file in ["go.mod", "go.sum"] {
                let path = release.module_dir().join(file);
                assert!(path.is_file(), "{} is missing", path.display());
            }
        }
    }
}
