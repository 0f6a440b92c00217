//! How a source becomes an image: planned by each language, carried out alike by whoever builds.

mod buildpack;
mod carry_out;
mod command;
mod copy;
mod dependencies;
mod fetch;
mod fetch_ahead;
mod kept_output;
mod layered;
mod mirror;
mod piece;
mod plan;
mod refusal;
mod repository_path;
mod toolchain;
mod vendoring;
mod workplace;

pub(crate) use buildpack::Buildpack;
pub use carry_out::{Answer, BuildFailure, Workshop, carry_out};
pub use command::BuildCommand;
pub(crate) use copy::copy;
pub use dependencies::{Dependencies, Extent};
pub use fetch::{Fetch, Need};
pub use fetch_ahead::fetch_ahead;
pub use kept_output::KeptOutput;
pub(crate) use layered::layered;
pub use mirror::{CHECKSUM, Content, MIRRORS, Mirror};
pub(crate) use piece::GO_MODULES;
pub use plan::{Failure, Recipe};
pub use refusal::Refusal;
pub use repository_path::RepositoryPath;
pub use toolchain::Toolchain;
pub(crate) use toolchain::is_writable;
pub use vendoring::Vendoring;
pub use workplace::Workplace;
