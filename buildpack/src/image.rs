//! OCI images assembled without a daemon: the same source and base give the same digest anywhere.

mod assemble;
mod base;
mod collect;
mod config;
mod descriptor;
mod fault;
mod key;
mod layer;
mod layout;
mod origin;
mod plain_file;
mod tag;
mod unpack;
mod validate;
mod zones;

pub use assemble::{AssembleError, Image, ImagePlan, assemble};
pub use base::{Base, BaseError, CHAINCODE_GROUP_ID, CHAINCODE_USER_ID, ca_bundle_path};
pub use collect::Collected;
pub use config::CHAINCODE_PROGRAM;
pub use descriptor::sha256;
pub use fault::Fault;
pub use key::{BuildKey, BuildKeyInputs};
pub use layer::Layer;
pub use layout::{Layout, LayoutError};
pub use oci_spec;
pub use origin::Origin;
pub use tag::{InvalidTag, Tag};
pub use unpack::{UnpackError, unpack};
pub use validate::validate;
pub use zones::ZONEINFO;
