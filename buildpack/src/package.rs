//! Chaincode packages: `metadata.json` and `code.tar.gz` in a gzip-compressed tar.
//!
//! The format is Fabric's (`core/chaincode/persistence/chaincode_package.go`). A package written
//! here depends on the source and the label alone, so that everyone gets the same package ID.

mod copy;
mod draft;
mod elsewhere;
mod id;
mod inspection;
mod install_scripts;
mod interrupt;
mod judgement;
mod metadata;
mod misplaced;
mod remark;
mod report;
mod served;
mod untar;
mod writer;

pub use draft::{Dependencies, Draft, DraftError, DraftFile, LeftOut};
pub use elsewhere::Elsewhere;
pub use id::{InvalidPackageId, PackageId};
pub use inspection::{InspectError, Inspection};
pub use interrupt::Interrupt;
pub use metadata::Metadata;
pub use remark::Remark;
pub use report::{FileEntry, Index, Refusal, RefusedBy, Report};
pub use selvedge_package::{
    ChaincodeType, Handling, IndexFault, InvalidLabel, Label, METADATA_FILE, MetadataFault,
};
pub use served::Served;
pub use writer::{Existing, Packed, WriteError, write};

use crate::archive::printable;

/// The largest package, in bytes. An install is one gRPC message of at most 100 MiB (Fabric
/// `internal/pkg/comm/config.go`); 64 KiB of it are left for the proposal around the package.
pub const MAX_PACKAGE_BYTES: u64 = (100 << 20) - (64 << 10);

/// The name of the code in a package.
pub const CODE_FILE: &str = "code.tar.gz";
