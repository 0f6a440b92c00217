//! `cargo xtask demo`: the main job, end to end, on a real peer; what of it is the same wherever that
//! runs.

mod arguments;
mod calls;
mod course;

pub use arguments::Demo;
pub use calls::{Call, in_order};
pub use course::{
    LABEL, ORGANISATION, Package, approve, commit_and_call, install, make, print_exports,
};
