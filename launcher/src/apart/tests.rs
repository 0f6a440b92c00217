//! A launcher apart, called by the real client over real sockets, with real certificates.

mod admitted;
mod certificates;
mod refused;
mod scene;
