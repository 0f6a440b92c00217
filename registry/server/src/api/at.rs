//! What every request is about: one repository, in a store.

use std::sync::Arc;

use selvedge_buildpack::digest::Sha256;
use tokio::task::spawn_blocking;

use crate::fault::Fault;
use crate::store::Store;

/// How a digest is told beside what it is of.
pub(super) const DIGEST: &str = "docker-content-digest";

/// What may be done at one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Pull. There is no way to write by it, whoever asks.
    Pull,
    /// Pull and push.
    Push,
}

/// What every request is about.
#[derive(Clone)]
pub(super) struct At {
    pub(super) store: Arc<Store>,
    /// What the repository is called.
    pub(super) name: Arc<str>,
    pub(super) rights: Rights,
}

impl At {
    /// Does what waits for a disk.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Arc<Store>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let store = Arc::clone(&self.store);
        let done = spawn_blocking(move || act(&store)).await;
        done.unwrap_or_else(|error| Err(Fault::internal(error)))
    }

    /// The path of something in the repository.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.name)
    }

    pub(super) fn blob(&self, digest: Sha256) -> String {
        self.path(&format!("blobs/{digest}"))
    }
}

/// A digest that was sent.
pub(super) fn digest(text: &str) -> Result<Sha256, Fault> {
    text.parse().map_err(|_| Fault::Digest(text.to_owned()))
}
