//! What the project's own commands are made of, whether they raise a Kubernetes
//! (`xtask/kubernetes`) or not (`cargo xtask` itself).

pub mod cargo;
pub mod demo;
pub mod dist;
pub mod ending;
pub mod profile;
mod screen;
pub mod steps;
