//! How a source becomes an image: planned by each language, carried out alike by whoever builds.

mod buildpack;
mod carry_out;
mod command;
mod kept_output;
mod plan;
mod refusal;
mod toolchain;
mod vendoring;

pub(crate) use buildpack::Buildpack;
pub use carry_out::{Answer, BuildFailure, Workshop, carry_out};
pub use command::BuildCommand;
pub use kept_output::KeptOutput;
pub use plan::{Failure, Recipe, Workplace};
pub use refusal::Refusal;
pub use toolchain::Toolchain;
pub(crate) use toolchain::is_writable;
pub use vendoring::Vendoring;
