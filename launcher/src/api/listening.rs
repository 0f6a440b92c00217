//! How a chaincode is linked, in the API's words: what a build says, a launch is told again.

use selvedge_buildpack::shim::{Security, Shim};
use selvedge_proto::launcher::Listening;

/// What the builder keeps of it.
pub(super) fn told(shim: Shim) -> Option<Listening> {
    match shim {
        Shim::Dials => None,
        Shim::Listens(security) => Some(Listening { tls: security == Security::Tls }),
    }
}

/// What the builder has kept.
pub(super) fn kept(listening: Option<Listening>) -> Shim {
    match listening {
        None => Shim::Dials,
        Some(Listening { tls: true }) => Shim::Listens(Security::Tls),
        Some(Listening { tls: false }) => Shim::Listens(Security::Plain),
    }
}
