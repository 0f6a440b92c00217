//! How an address with a port is written.

use schemars::JsonSchema;

/// How an address is written.
#[derive(JsonSchema)]
#[schemars(extend("format" = "socket-address"))]
pub(crate) struct SocketAddress(#[expect(dead_code, reason = "there for its schema")] String);
