//! On what terms a chaincode is kept, as the command line of its container says.

use std::time::Duration;

use crate::connection::Connection;
use crate::demand::Demand;
use crate::ending::{Drain, Ending};
use crate::way::Way;

/// When a chaincode is started, and how it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Where its proxy listens, if it is to be started only while that can be reached.
    pub way: Option<Way>,
    /// When it is to run, if that is not always.
    pub demand: Option<Demand>,
    /// How it is brought to its end when the container is to end.
    pub ending: Ending,
}

/// What of this is told with these words on the command line.
const DRAIN: &str = "--drain-ms=";
const GRACE: &str = "--grace-ms=";
const PROXY: &str = "--proxy=";
const AT: &str = "--server-port=";
const ON_DEMAND: &str = "--on-demand=";
const NOW: &str = "--now";

impl Terms {
    /// What these options say; none if one of them is none, or one is missing.
    pub(crate) fn read<'a>(options: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (mut limit, mut server, mut way, mut grace) = (None, None, None, None);
        let (mut port, mut is_there) = (None, false);
        for option in options {
            if let Some(time) = option.strip_prefix(DRAIN) {
                limit = Some(Duration::from_millis(time.parse().ok()?));
            } else if let Some(time) = option.strip_prefix(GRACE) {
                grace = Some(Duration::from_millis(time.parse().ok()?));
            } else if let Some(address) = option.strip_prefix(PROXY) {
                way = Some(Way::read(address)?);
            } else if let Some(number) = option.strip_prefix(ON_DEMAND) {
                port = Some(number.parse().ok()?);
            } else if option == NOW {
                is_there = true;
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
        let demand = port.map(|port| Demand { port, is_there });
        // Without a port it is there anyway, and always.
        let is_sound = demand.is_some() || !is_there;
        is_sound.then_some(Self { way, demand, ending: Ending { drain, grace } })
    }
}
