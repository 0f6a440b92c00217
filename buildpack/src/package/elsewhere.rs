//! What a package names instead of holding code: where its chaincode is.

use selvedge_package::{CONNECTION_FILE, ChaincodeType, IMAGE_FILE};
use serde::Serialize;

use super::remark::Remark;
use super::served::Served;
use crate::named_image::NamedImage;

/// Where a chaincode is whose package holds no code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Elsewhere {
    /// In an image that somebody else made.
    Image(NamedImage),
    /// On a server that somebody else runs.
    Server(Served),
}

impl Elsewhere {
    /// The type of the packages that say so.
    pub(super) fn kind(&self) -> ChaincodeType {
        match self {
            Self::Image(_) => ChaincodeType::K8s,
            Self::Server(_) => ChaincodeType::Ccaas,
        }
    }

    /// The file of the package that says so.
    pub(super) fn file(&self) -> &'static str {
        match self {
            Self::Image(_) => IMAGE_FILE,
            Self::Server(_) => CONNECTION_FILE,
        }
    }

    /// What there is to know about it, if anything.
    pub(super) fn remark(&self) -> Option<Remark> {
        match self {
            Self::Image(_) => None,
            Self::Server(server) => server.remark(),
        }
    }
}
