//! What a cluster must do for the suites that will rely on it, asked of a real one.

mod nodes;
mod objects;
mod pods;
mod policies;
mod services;
mod shared;
