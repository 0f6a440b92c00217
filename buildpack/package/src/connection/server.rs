//! A server as a peer reads of it.

use serde::Serialize;

use super::fields::Fields;

/// What a peer dials. It has no `Debug`: it may hold a key.
pub struct Server(pub(super) Fields<String>);

/// The file that a peer reads. What is empty is not written: the peer refuses `""` for a duration.
#[derive(Serialize)]
struct File<'a> {
    address: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    domain: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    dial_timeout: &'a str,
    tls_required: bool,
    client_auth_required: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    root_cert: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    client_key: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    client_cert: &'a str,
}

impl Server {
    /// Where it is.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// `chaincode/server/connection.json`, as a value to be written.
    pub fn file(&self) -> impl Serialize + '_ {
        let Fields { address, dial_timeout, tls } = &self.0;
        let client = tls.as_ref().and_then(|tls| tls.client.as_ref());
        File {
            address,
            domain: tls.as_ref().map_or("", |tls| &tls.domain),
            dial_timeout,
            tls_required: tls.is_some(),
            client_auth_required: client.is_some(),
            root_cert: tls.as_ref().map_or("", |tls| &tls.root_cert),
            client_key: client.map_or("", |client| &client.key),
            client_cert: client.map_or("", |client| &client.cert),
        }
    }
}
