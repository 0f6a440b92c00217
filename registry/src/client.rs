//! How any registry is spoken to.

use std::time::Duration;

use oci_client::Client;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};

/// How long a registry may take to accept a connection.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);

/// How long a registry may say nothing in the middle of an answer.
pub(crate) const SILENCE: Duration = Duration::from_secs(30);

/// Who asks.
pub(crate) const AGENT: &str = concat!("selvedge/", env!("CARGO_PKG_VERSION"));

/// What containerd takes as well.
pub(crate) const TAKEN: [&str; 4] = [
    OCI_IMAGE_MEDIA_TYPE,
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
];

/// Makes *ring* what HTTP clients take that are told of no other implementation of cryptography.
pub(crate) fn choose_provider() {
    // Whoever was first chose the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client that knows no credentials; asks nothing yet.
pub(super) fn client(plain_http: bool) -> Result<Client, OciDistributionError> {
    choose_provider();
    Client::try_from(ClientConfig {
        protocol: if plain_http { ClientProtocol::Http } else { ClientProtocol::Https },
        // One PUT for each blob, streamed from its file.
        use_monolithic_push: true,
        connect_timeout: Some(CONNECT),
        read_timeout: Some(SILENCE),
        user_agent: AGENT,
        ..ClientConfig::default()
    })
}
