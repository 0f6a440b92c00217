//! How a chaincode is brought to its end when its container is to end.
//!
//! Its transactions may finish: the proxy, which learns by itself that the pod is to go, gives it
//! nothing new, and ends its stream when it has nothing left. By that most chaincode ends by itself.
//! One that does not is asked to when it has no connection with the proxy any more, and killed when
//! it does not heed that.

use std::time::Duration;

use crate::connection::Connection;

/// How often is looked whether the connection is still there.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// What the chaincode gets before it is asked, and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// What its transactions get; it is asked at once without.
    pub drain: Option<Drain>,
    /// How long after it was asked it is killed; never without.
    pub grace: Option<Duration>,
}

/// How long the transactions may take that are in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// As long as there is this connection with the proxy.
    pub connection: Connection,
    /// And no longer than this.
    pub limit: Duration,
}
