//! Go chaincode: where its module is, how it is compiled, what its compiler says.

mod compiler;
mod go_mod;
mod module;
mod open;
mod plan;
mod workspace;

pub use compiler::first_errors;
pub use go_mod::GoMod;
pub use module::{GoError, GoModule, GoPath};
pub use plan::{BuildCommand, GoBuild, GoToolchain};
pub(crate) use workspace::is_source;
pub use workspace::{GoChaincode, GoChaincodeError, package_name};
