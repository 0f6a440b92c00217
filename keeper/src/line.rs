//! What a launcher orders of a keeper, and what it is told.
//!
//! The launcher dials the keeper and writes an order a line: [`KILL`], and where the chaincode is run on
//! demand [`START`], [`STOP`] and [`LET_GO`]. The keeper writes how its chaincode stands ([`RESTS`],
//! [`RUNS`], [`ENDED`] with an exit status), at once and whenever that changes. Who can reach the port
//! can start and end this one chaincode, and no more: it is no secret, and what is started has to show
//! its proxy a certificate as ever. The launcher believes a keeper in nothing but what concerns the
//! keeper's own pod.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// That the chaincode is to run: nothing, if it does.
pub const START: &str = "start";

/// That it is to end: nothing, if it does not run.
pub const STOP: &str = "stop";

/// That what runs was let go by its proxy: nobody waits for it any more. What it still writes can be told
/// from what it wrote before, then.
pub const LET_GO: &str = "let go";

/// That what runs is to be killed, if it has run for so many milliseconds, which follow: of what was
/// started since whoever orders it has lost it, nobody says that it is of no use. If nothing has, how
/// the chaincode stands is said once more.
pub const KILL: &str = "kill ";

/// That the chaincode does not run, and has not run.
pub const RESTS: &str = "rests";

/// That it runs.
pub const RUNS: &str = "runs";

/// That it does not run any more; its exit status follows, as a shell has it.
pub const ENDED: &str = "ended ";

/// No line is longer, with its end; who writes a longer one is not listened to any more.
pub const LINE: u64 = 16;

/// No more than a few lines are kept in memory at once.
const BUFFER: usize = 64;

/// How long it may take until a launcher has taken a line: it reads them as they come.
const TAKEN: Duration = Duration::from_millis(100);

/// What the launcher wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Start,
    Stop,
    LetGo,
    /// Kill it, if it has run for so long.
    Kill(Duration),
}

impl Order {
    fn read(word: &str) -> Option<Self> {
        match word {
            START => Some(Self::Start),
            STOP => Some(Self::Stop),
            LET_GO => Some(Self::LetGo),
            _ => {
                let time: u32 = word.strip_prefix(KILL)?.parse().ok()?;
                Some(Self::Kill(Duration::from_millis(time.into())))
            }
        }
    }
}

/// The order by which what has run for so long is killed.
pub fn kill(ran: Duration) -> String {
    format!("{KILL}{}", u32::try_from(ran.as_millis()).unwrap_or(u32::MAX))
}

/// How the chaincode stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stand {
    /// It does not run, and has not run.
    #[default]
    Rests,
    /// It runs.
    Runs,
    /// It has ended, with this status, as a shell has it.
    Ended(i32),
}

impl Stand {
    /// What a line of a keeper's says; none if that is nothing.
    pub fn read(line: &str) -> Option<Self> {
        match line {
            RESTS => Some(Self::Rests),
            RUNS => Some(Self::Runs),
            _ => line.strip_prefix(ENDED)?.parse().ok().map(Self::Ended),
        }
    }
}

impl fmt::Display for Stand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rests => out.write_str(RESTS),
            Self::Runs => out.write_str(RUNS),
            Self::Ended(status) => write!(out, "{ENDED}{status}"),
        }
    }
}

/// Listens at this port of all addresses that there are.
pub(crate) fn listen(port: u16) -> io::Result<TcpListener> {
    let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    // Where there are none of the new kind, those of the old one are all.
    TcpListener::bind(all).or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
}

/// The line to the launcher; none as long as it has not dialled. The last one that it has dialled
/// counts: of one that is gone nobody may have told.
#[derive(Default)]
pub(crate) struct Line(Option<TcpStream>);

impl Line {
    /// Takes another one, and says how the chaincode stands.
    pub(crate) fn replace(&mut self, stream: TcpStream, stand: Stand) {
        // One that is gone cannot be ended, nor one be bounded that is.
        let _ = self.0.take().map(|before| before.shutdown(Shutdown::Both));
        let _ = stream.set_write_timeout(Some(TAKEN));
        // What is said is said at once: it is all that there is to say.
        let _ = stream.set_nodelay(true);
        self.0 = Some(stream);
        self.tell(stand);
    }

    /// Says how the chaincode stands.
    pub(crate) fn tell(&mut self, stand: Stand) {
        // One that cannot be told is told when it dials again.
        let told = |stream: &mut TcpStream| stream.write_all(format!("{stand}\n").as_bytes());
        if let Some(Err(_)) = self.0.as_mut().map(told) {
            self.0 = None;
        }
    }
}

/// The orders on a line, until it ends or something else is on it.
pub(crate) fn orders(line: impl Read) -> impl Iterator<Item = Order> {
    let mut line = BufReader::with_capacity(BUFFER, line);
    std::iter::from_fn(move || {
        let mut word = Vec::new();
        line.by_ref().take(LINE).read_until(b'\n', &mut word).ok()?;
        Order::read(std::str::from_utf8(word.strip_suffix(b"\n")?).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_what_is_read_and_fits_into_a_line() {
        for stand in [Stand::Rests, Stand::Runs, Stand::Ended(0), Stand::Ended(255)] {
            let line = stand.to_string();
            assert_eq!(Stand::read(&line), Some(stand));
            assert!((line.len() as u64) < LINE, "{line}");
        }
        for nothing in ["", "rest", "runs ", "ended", "ended ", "ended well", "ended 99999999999"] {
            assert_eq!(Stand::read(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn orders_are_lines_and_nothing_else_is() {
        let read = |text: &str| orders(text.as_bytes()).collect::<Vec<_>>();
        let kill = Order::Kill(Duration::from_millis(1500));
        let all = [Order::Start, Order::LetGo, kill, Order::Stop, Order::Start];
        assert_eq!(read("start\nlet go\nkill 1500\nstop\nstart\n"), all);
        for nothing in [
            "",
            "start",
            "begin\nstart\n",
            "\nstart\n",
            "start \n",
            "START\n",
            "kill\n",
            "kill \n",
            "kill -1\n",
            "kill 4294967296\n",
        ] {
            assert_eq!(read(nothing), [], "{nothing:?}");
        }
        assert_eq!(read(&format!("start\n{}\n", "start".repeat(1000))), [Order::Start]);
    }
    #[test]
    fn what_is_killed_has_run_for_as_long_as_fits_into_a_line() {
        for (time, told) in [(1500, 1500), (u64::MAX, u32::MAX)] {
            let order = format!("{}\n", kill(Duration::from_millis(time)));
            assert!(order.len() as u64 <= LINE, "{order}");
            let told = Order::Kill(Duration::from_millis(told.into()));
            assert_eq!(orders(order.as_bytes()).collect::<Vec<_>>(), [told]);
        }
    }
}
