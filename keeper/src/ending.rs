//! How a chaincode is brought to its end when its container is to end.
//!
//! Its transactions may finish: the proxy, which learns by itself that the pod is to go, gives it
//! nothing new, and ends its stream when it has nothing left. By that most chaincode ends by itself.
//! One that does not is asked to when it has no connection with the proxy any more, and killed when
//! it does not heed that.

use std::time::Duration;

use crate::connection::Connection;
use crate::way::Way;

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

/// When a chaincode is started, and how it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Where its proxy listens, if it is to be started only while that can be reached.
    pub way: Option<Way>,
    /// How it is brought to its end when the container is to end.
    pub ending: Ending,
}

/// What of this is told with these words on the command line.
const DRAIN: &str = "--drain-ms=";
const GRACE: &str = "--grace-ms=";
const PROXY: &str = "--proxy=";
const AT: &str = "--server-port=";

impl Terms {
    /// What these options say; none if one of them is none, or one is missing.
    pub(crate) fn read<'a>(options: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (mut limit, mut server, mut way, mut grace) = (None, None, None, None);
        for option in options {
            if let Some(time) = option.strip_prefix(DRAIN) {
                limit = Some(Duration::from_millis(time.parse().ok()?));
            } else if let Some(time) = option.strip_prefix(GRACE) {
                grace = Some(Duration::from_millis(time.parse().ok()?));
            } else if let Some(address) = option.strip_prefix(PROXY) {
                way = Some(Way::read(address)?);
            } else {
                server = Some(Connection::At(option.strip_prefix(AT)?.parse().ok()?));
            }
        }
        let connection = server.or(way.map(|way: Way| Connection::To(way.port())));
        let drain = match (limit, connection) {
            (None, _) if server.is_none() => None,
            (Some(limit), Some(connection)) => Some(Drain { connection, limit }),
            _ => return None,
        };
        Some(Self { way, ending: Ending { drain, grace } })
    }
}
