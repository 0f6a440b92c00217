//! How any registry is spoken to.

use std::time::Duration;

use oci_client::Client;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;

use crate::tls::choose_provider;

/// How long a registry may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a registry may say nothing in the middle of an answer.
const SILENCE: Duration = Duration::from_secs(30);

/// A client that knows no credentials; asks nothing yet.
pub(super) fn client(plain_http: bool) -> Result<Client, OciDistributionError> {
    choose_provider();
    Client::try_from(ClientConfig {
        protocol: if plain_http { ClientProtocol::Http } else { ClientProtocol::Https },
        // One PUT for each blob, streamed from its file.
        use_monolithic_push: true,
        connect_timeout: Some(CONNECT),
        read_timeout: Some(SILENCE),
        user_agent: concat!("selvedge/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    })
}
