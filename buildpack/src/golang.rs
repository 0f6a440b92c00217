//! Go chaincode: where its module is, how it is compiled, what its compiler says.

mod caches;
mod compiler;
mod constraint;
mod contents;
mod embed;
mod go_mod;
mod module;
mod open;
mod plan;
mod workspace;

pub use caches::GoCache;
pub use compiler::{cgo_reason, first_errors, may_need_cgo};
pub(crate) use constraint::is_source;
pub use contents::package_name;
pub(crate) use embed::Embeds;
pub use go_mod::GoMod;
use go_mod::unquoted;
pub use module::{GoError, GoModule, GoPath};
pub use plan::{BuildCommand, GoBuild, GoToolchain};
pub use workspace::{GoChaincode, GoChaincodeError};
