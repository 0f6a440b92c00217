//! The name under which a peer keeps a package.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::Label;
use crate::digest::Sha256;

/// `label:sha256hex`, the SHA-256 being that of the whole package file (Fabric
/// `core/chaincode/persistence/persistence.go`, `PackageID`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageId {
    /// The label in the package's metadata.
    pub label: Label,
    /// The digest of the package file.
    pub digest: Sha256,
}

/// Why a text is no package ID.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{}` is not a package ID of the form label:<64 lower-case hex digits>", .0.escape_debug())]
pub struct InvalidPackageId(String);

impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.label, self.digest.hex())
    }
}

impl FromStr for PackageId {
    type Err = InvalidPackageId;

    fn from_str(text: &str) -> Result<Self, InvalidPackageId> {
        let parse = || {
            let (label, digest) = text.split_once(':')?;
            Some(Self { label: label.parse().ok()?, digest: Sha256::from_hex(digest).ok()? })
        };
        parse().ok_or_else(|| InvalidPackageId(text.to_owned()))
    }
}

impl Serialize for PackageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let text = format!("basic_1.0:{}", Sha256::of(b"").hex());
        assert_eq!(text.parse::<PackageId>().unwrap().to_string(), text);
        for bad in ["", "basic", "basic:", ":00", "basic:00", &text.replace("basic", "ba/sic")] {
            assert!(bad.parse::<PackageId>().is_err(), "{bad}");
        }
    }
}
