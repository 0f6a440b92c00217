//! What the proxy is put between: a peer, replicas, and what certifies both.

pub(crate) mod authority;
pub(crate) mod codec;
pub(crate) mod faulty;
pub(crate) mod flood;
pub(crate) mod message;
pub(crate) mod peer;
pub(crate) mod replica;
pub(crate) mod scene;
pub(crate) mod server;
pub(crate) mod simulation;

use std::time::Duration;

use selvedge_proxy::Limits;

/// The package that everything here is about.
pub(crate) const PACKAGE: &str = "basic_1.0:ab12";

/// With these no transaction is run again.
pub(crate) fn once() -> Limits {
    Limits { replay: false, ..Limits::default() }
}

/// What `future` gives; fails the test when it takes too long on any machine.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, future).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
