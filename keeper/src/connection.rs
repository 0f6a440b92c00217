//! Whether the chaincode is connected with its proxy, as the kernel lists its network's connections
//! (`proc_net_tcp` of the kernel's documentation, `networking/proc_net_tcp.rst`).
//!
//! A container sees those of its pod alone. Chaincode could make one that looks like it, and gains
//! by it what it is given anyway: the time that a drain may take.

use std::fs::File;
use std::io::{BufRead, BufReader};

/// Where they are listed, of either kind of addresses.
const LISTS: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// One over which both ends speak (`TCP_ESTABLISHED`, `include/net/tcp_states.h`).
const ESTABLISHED: &str = "01";

/// The longest line of a list is shorter: no more is kept in memory at once.
const BUFFER: usize = 1 << 10;

/// By which port a connection with the proxy is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// By that of the proxy, which the chaincode dials.
    To(u16),
    /// By that of the chaincode, which the proxy dials.
    At(u16),
}

impl Connection {
    /// Whether there is one; not, where nobody says.
    pub(crate) fn is_there(self) -> bool {
        let lists = LISTS.iter().filter_map(|list| File::open(list).ok());
        lists.map(|list| BufReader::with_capacity(BUFFER, list)).any(|list| self.is_in(list))
    }

    fn is_in(self, list: impl BufRead) -> bool {
        list.lines().map_while(Result::ok).any(|line| self.is_listed_by(&line))
    }

    fn is_listed_by(self, line: &str) -> bool {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, remote, state) = (fields.next(), fields.next(), fields.next());
        let (address, wanted) = match self {
            Self::To(port) => (remote, port),
            Self::At(port) => (local, port),
        };
        let port = address.and_then(|address| address.rsplit_once(':'));
        let port = port.and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        state == Some(ESTABLISHED) && port == Some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a kernel writes them: one that listens at 9999, one from port 9999 to 7052, the same in the
    /// other kind of addresses from 9998 to 7053, and one that has half ended.
    const LIST: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:270F 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65532        0 1 1 0 100
   1: 0300010A:270F 0700600A:1B8C 01 00000000:00000000 02:00000A4C 00000000 65532        0 2 2 0 20
   2: 0000000000000000FFFF00000300010A:270E 0000000000000000FFFF00000700600A:1B8D 01 00000000:00000000
   3: 0300010A:270D 0700600A:1B8E 08 00000000:00000000 02:00000A4C 00000000 65532        0 2 2 0 20
";

    #[test]
    fn those_that_are_established_count_by_their_ports() {
        let is_there = |connection: Connection| connection.is_in(LIST.as_bytes());
        for there in [To(7052), To(7053), At(9999), At(9998)] {
            assert!(is_there(there), "{there:?}");
        }
        for none in [To(9999), At(7052), To(7054), At(9997), To(0), At(0)] {
            assert!(!is_there(none), "{none:?}");
        }
        assert!(!To(7052).is_in(&b""[..]));
    }

    use Connection::{At, To};
}
