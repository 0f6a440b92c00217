//! What becomes of the attempts at a connection with a replica, whichever of the two has dialled.

use std::net::SocketAddr;

use crate::identity::Credential;
use crate::replica::Place;
use crate::replica_http::Connected;

/// What there is to be taken up.
pub(crate) enum Arrival {
    /// A connection.
    Connected(Connected),
    /// One that was dialled is there, and is no replica of this chaincode.
    Failed { place: Place, reason: String },
    /// One that is dialled has not been there for a while.
    Unreached { address: SocketAddr, credential: Credential, reason: String },
}
