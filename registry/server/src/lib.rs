//! The registry that a launcher can serve (the OCI distribution specification, v1.1): one repository, kept
//! in an image layout on a volume, within a bound.
//!
//! Who pushes is trusted with what an image is, and with nothing else: a blob is there once its bytes were
//! held against its digest, a manifest once all that it names is there, and an upload takes no more than
//! there is room for. Nothing is deleted by request: what goes, the bound decides.

mod access;
mod api;
mod fault;
mod manifest;
mod range;
mod store;

pub use access::Login;
pub use api::{Rights, router};
pub use store::{Bounds, Store};
