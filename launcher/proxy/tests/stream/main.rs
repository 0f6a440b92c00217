//! The proxy between a fake peer and fake replicas, over real TLS connections.
//!
//! Real peers and shims cannot be made to misbehave as these do; the end-to-end
//! suites run the proxy between real ones.

mod breaches;
mod bytes_kept;
mod credentials;
mod death;
mod dialling;
mod ending;
mod events;
mod fake;
mod faults;
mod registration;
mod release;
mod retirement;
mod routing;
