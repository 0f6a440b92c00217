//! What both sides of the proxy share of HTTP/2.

use std::error::Error;
use std::io::{self, ErrorKind};

use http::HeaderValue;
use tonic::Status;

/// Flow-control window towards the peer in bytes. The default of 64 KiB would stop a large
/// message once per window for a round trip.
pub(crate) const WINDOW: u32 = 4 << 20;

/// The same towards a connection of which nothing is known yet: HTTP/2 keeps so much of what
/// nobody reads.
pub(crate) const NARROW_WINDOW: u32 = 64 << 10;

/// The same towards a replica that has registered: on its way to the proxy, which is on its node,
/// a round trip is short.
pub(crate) const WIDE_WINDOW: u32 = 1 << 20;

/// The one method of `protos.ChaincodeSupport`: a stream of messages, both ways.
pub(crate) const REGISTER: &str = "/protos.ChaincodeSupport/Register";

/// The one method of `protos.Chaincode`, which a chaincode that listens serves: the same stream, opened
/// from the other side (`core/chaincode/extcc/extcc_handler.go`).
pub(crate) const CONNECT: &str = "/protos.Chaincode/Connect";

/// What gRPC calls its content; what comes behind it says how messages are written.
pub(crate) const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// A status in one line, with the cause that the transport met.
pub(crate) fn describe(status: &Status) -> String {
    let text = with_causes(status.message().to_owned(), status.source());
    if text.is_empty() { status.code().description().to_owned() } else { text }
}

/// Why HTTP/2 has ended, in one line.
pub(crate) fn broken(error: &h2::Error) -> String {
    match error.get_io().map(io::Error::kind) {
        // Who dies says no goodbye, which TLS would have much to say about.
        Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            "the connection broke off".to_owned()
        }
        _ => chain(error),
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    with_causes(error.to_string(), error.source())
}

/// Each cause once: those of the transport repeat their own causes.
fn with_causes(mut text: String, mut cause: Option<&dyn Error>) -> String {
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
