//! The way from a pod to its proxy. A chaincode that is started while nobody listens there ends again,
//! or waits for a second and more until it tries anew, as the shims do; the time is better spent before
//! its start.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(1);

/// The delays between attempts: the longer it has lasted, the less a delay counts.
const SHORTEST_DELAY: Duration = Duration::from_millis(20);
const LONGEST_DELAY: Duration = Duration::from_millis(500);

/// Of the time that it has lasted, what a delay may add.
const SHARE: u32 = 20;

/// Where the proxy listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way(SocketAddr);

impl Way {
    /// Reads `IP:PORT`: a name would be asked of the network.
    pub(crate) fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    pub(crate) fn port(self) -> u16 {
        self.0.port()
    }

    /// Returns when the proxy takes a connection, or when `rest`, which lets a time pass, says that it
    /// is not worth waiting any more; whether it takes one.
    pub(crate) fn await_open(self, rest: impl Fn(Duration) -> bool) -> bool {
        let begun = Instant::now();
        while TcpStream::connect_timeout(&self.0, ATTEMPT).is_err() {
            if !rest(delay(begun.elapsed())) {
                return false;
            }
        }
        true
    }
}

/// The delay before the next attempt, after so long.
fn delay(lasted: Duration) -> Duration {
    (lasted / SHARE).clamp(SHORTEST_DELAY, LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_no_name() {
        for address in ["10.96.0.7:7052", "[fd00::7]:7052"] {
            assert!(Way::read(address).is_some(), "{address}");
        }
        for other in ["proxy:7052", "10.96.0.7", ""] {
            assert_eq!(Way::read(other), None, "{other}");
        }
    }

    #[test]
    fn tried_often_at_first_and_less_often_later() {
        let delays = [0, 100, 1_000, 5_000, 60_000]
            .map(|lasted| delay(Duration::from_millis(lasted)).as_millis());
        assert_eq!(delays, [20, 20, 50, 250, 500]);
    }
}
