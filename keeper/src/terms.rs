//! On what terms a chaincode is kept, as the command line of its container says.

use std::time::Duration;

use crate::connection::Connection;
use crate::ending::{Drain, Ending};
use crate::way::Way;

/// When a chaincode is started, and how it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Where its proxy listens, if it is to be started only while that can be reached.
    pub way: Option<Way>,
    /// When it is to run.
    pub presence: Presence,
    /// The port at which its launcher may order something (`line.rs`), if there is one.
    pub orders: Option<u16>,
    /// How it is brought to its end when the container is to end.
    pub ending: Ending,
}

/// When a chaincode is to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// As long as its container is there.
    #[default]
    Always,
    /// When its launcher says so.
    OnDemand {
        /// It is to run already when its container begins.
        is_there: bool,
    },
}

/// What of this is told with these words on the command line.
const DRAIN: &str = "--drain-ms=";
const GRACE: &str = "--grace-ms=";
const PROXY: &str = "--proxy=";
const AT: &str = "--server-port=";
const ORDERS: &str = "--orders=";
const ON_DEMAND: &str = "--on-demand=";
const NOW: &str = "--now";

impl Terms {
    /// What these options say; none if one of them is none, or one is missing.
    pub(crate) fn read<'a>(options: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (mut limit, mut server, mut way, mut grace) = (None, None, None, None);
        let (mut orders, mut on_demand, mut is_there) = (None, None, false);
        for option in options {
            if let Some(time) = option.strip_prefix(DRAIN) {
                limit = Some(Duration::from_millis(time.parse().ok()?));
            } else if let Some(time) = option.strip_prefix(GRACE) {
                grace = Some(Duration::from_millis(time.parse().ok()?));
            } else if let Some(address) = option.strip_prefix(PROXY) {
                way = Some(Way::read(address)?);
            } else if let Some(number) = option.strip_prefix(ON_DEMAND) {
                on_demand = Some(number.parse().ok()?);
            } else if let Some(number) = option.strip_prefix(ORDERS) {
                orders = Some(number.parse().ok()?);
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
        let (presence, orders) = match (on_demand, orders) {
            // It is there anyway, and always.
            (None, _) if is_there => return None,
            (None, orders) => (Presence::Always, orders),
            (Some(_), Some(_)) => return None,
            (Some(port), None) => (Presence::OnDemand { is_there }, Some(port)),
        };
        Some(Self { way, presence, orders, ending: Ending { drain, grace } })
    }
}
