//! The one way into a network of its own, for a chaincode that listens at a port of its own choice:
//! several of that kind, and several replicas of one, cannot share the ports of one machine.
//!
//! A socket belongs to the network in which it was made. So the process that begins a chaincode's
//! namespaces listens on this machine before it does, and connects to the chaincode after it has: what
//! comes to the one is carried to the other, by threads that end with the process. In the new network
//! there is nothing but its loopback.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::str::FromStr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use selvedge_buildpack::shim::ServerPort;
use socket2::{Domain, Protocol, Socket, Type};

/// How many connections go through at once: a proxy has one, and a second one when the first is lost.
const MOST: usize = 16;

/// How long a connection waits for the chaincode to listen, in which it is not dialled again.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is tried meanwhile.
const AGAIN: Duration = Duration::from_millis(10);

/// Where a way begins, and where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passage {
    /// On this machine.
    pub(super) outside: SocketAddr,
    /// In the network beyond.
    pub(super) inside: ServerPort,
}

/// A passage on whose near side somebody listens.
pub(super) struct Opened {
    listener: TcpListener,
    inside: SocketAddr,
}

impl Passage {
    /// Where the chaincode listens, in its own network.
    pub(super) fn beyond(self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.inside.get()).into()
    }

    /// Listens on this machine, of whose network the caller still is.
    pub(super) fn open(self) -> io::Result<Opened> {
        Ok(Opened { listener: TcpListener::bind(self.outside)?, inside: self.beyond() })
    }
}

impl fmt::Display for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}>{}", self.outside, self.inside)
    }
}

/// No passage, in the words of an argument.
#[derive(Debug, thiserror::Error)]
#[error("no passage")]
pub(crate) struct NoPassage;

impl FromStr for Passage {
    type Err = NoPassage;

    fn from_str(text: &str) -> Result<Self, NoPassage> {
        let (outside, inside) = text.split_once('>').ok_or(NoPassage)?;
        let inside = inside.parse().ok().and_then(|number| ServerPort::new(number).ok());
        Ok(Self {
            outside: outside.parse().map_err(|_| NoPassage)?,
            inside: inside.ok_or(NoPassage)?,
        })
    }
}

impl Opened {
    /// Carries what comes, from now on, into the new network that the caller is in.
    pub(super) fn serve(self) -> io::Result<()> {
        raise_loopback()?;
        thread::Builder::new().spawn(move || self.accept()).map(drop)
    }

    fn accept(self) {
        let going = Arc::new(());
        for outside in self.listener.incoming() {
            // One that is closed at once is dialled again, and one that could not be taken, too.
            let Ok(outside) = outside else {
                thread::sleep(AGAIN);
                continue;
            };
            let place = Arc::clone(&going);
            if Arc::strong_count(&going) > MOST + 1 {
                continue;
            }
            let carry = move || {
                let _ = carry_all(&outside, self.inside);
                drop(place);
            };
            let _ = thread::Builder::new().spawn(carry);
        }
    }
}

/// Carries both ways, until nothing comes from either side.
fn carry_all(outside: &TcpStream, inside: SocketAddr) -> io::Result<()> {
    let inside = reach(inside)?;
    outside.set_nodelay(true)?;
    inside.set_nodelay(true)?;
    thread::scope(|scope| {
        scope.spawn(|| carry(outside, &inside));
        carry(&inside, outside);
    });
    Ok(())
}

/// What comes from one side goes to the other, and so does its end.
fn carry(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
    // Where the other side takes nothing any more, nothing needs to come.
    let _ = from.shutdown(Shutdown::Read);
}

/// A connection with the chaincode, which may not listen yet: nobody tells when it does.
fn reach(inside: SocketAddr) -> io::Result<TcpStream> {
    let begun = Instant::now();
    loop {
        match TcpStream::connect(inside) {
            Ok(stream) if !is_with_itself(&stream) => return Ok(stream),
            Err(error) if begun.elapsed() >= PATIENCE => return Err(error),
            Ok(_) | Err(_) => thread::sleep(AGAIN),
        }
    }
}

/// Whether a connection was made with its own end: the kernel may give it the very port, as long as
/// nobody listens there.
fn is_with_itself(stream: &TcpStream) -> bool {
    stream.local_addr().is_ok_and(|own| stream.peer_addr().is_ok_and(|other| own == other))
}

/// What takes wishes about networks, and in what form (`netlink(7)`, `rtnetlink(7)`; the kernel's
/// `linux/netlink.h`, `rtnetlink.h` and `if.h`).
const AF_NETLINK: i32 = 16;
const NETLINK_ROUTE: i32 = 0;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const RTM_NEWLINK: u16 = 16;
const IFF_UP: u32 = 1;

/// The kernel's number for the loopback of each network (`LOOPBACK_IFINDEX`).
const LOOPBACK: i32 = 1;

/// The bytes of a header (`nlmsghdr`), and of what says which device is meant (`ifinfomsg`).
const HEADER: u32 = 16;
const DEVICE: u32 = 16;

/// Has the loopback of this process's new network up, where it is down at first.
fn raise_loopback() -> io::Result<()> {
    let (family, protocol) = (Domain::from(AF_NETLINK), Protocol::from(NETLINK_ROUTE));
    let mut kernel = Socket::new(family, Type::DGRAM, Some(protocol))?;
    kernel.write_all(&wish())?;
    let mut answer = [0; 256];
    let read = kernel.read(&mut answer)?;
    error_in(&answer[..read])
}

/// That the loopback be up.
fn wish() -> Vec<u8> {
    [
        &(HEADER + DEVICE).to_ne_bytes()[..],
        &RTM_NEWLINK.to_ne_bytes(),
        &(NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes(),
        // The first message, of whoever has this socket.
        &1_u32.to_ne_bytes(),
        &0_u32.to_ne_bytes(),
        // Of whatever family and kind of device.
        &[0; 4],
        &LOOPBACK.to_ne_bytes(),
        &IFF_UP.to_ne_bytes(),
        // Which of the flags is meant.
        &IFF_UP.to_ne_bytes(),
    ]
    .concat()
}

/// What the kernel answers: a header, and behind it the error, which is negative, or zero.
fn error_in(answer: &[u8]) -> io::Result<()> {
    let error = answer.get(16..20).and_then(|bytes| bytes.try_into().ok());
    match error.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::Error::other("the kernel's answer is too short")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;

    fn free() -> SocketAddr {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
    }

    fn passage() -> Passage {
        Passage { outside: free(), inside: ServerPort::new(free().port().into()).unwrap() }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let passage = passage();
        assert_eq!(passage.to_string().parse::<Passage>().unwrap(), passage);
        for none in ["", "127.0.0.1:80", "127.0.0.1:80>80", "127.0.0.1>9999", "127.0.0.1:80>99999"]
        {
            assert!(none.parse::<Passage>().is_err(), "{none}");
        }
    }

    /// Between two ports of this machine's network.
    #[test]
    fn what_comes_is_carried_both_ways_to_who_listens_at_last() {
        let passage = passage();
        let opened = passage.open().unwrap();
        thread::spawn(move || opened.accept());
        let mut outside = TcpStream::connect(passage.outside).unwrap();
        outside.write_all(b"asked\n").unwrap();

        let listener = TcpListener::bind(passage.beyond()).unwrap();
        let (mut inside, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&inside).read_line(&mut line).unwrap();
        assert_eq!(line, "asked\n");
        inside.write_all(b"answered").unwrap();
        outside.shutdown(Shutdown::Write).unwrap();
        assert_eq!(inside.read(&mut [0]).unwrap(), 0, "its end is carried, too");
        drop(inside);
        let mut answer = String::new();
        outside.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answered");
    }

    #[test]
    fn no_more_than_some_go_through_at_once() {
        let passage = passage();
        let opened = passage.open().unwrap();
        thread::spawn(move || opened.accept());
        let listener = TcpListener::bind(passage.beyond()).unwrap();
        let pair = || {
            let outside = TcpStream::connect(passage.outside).unwrap();
            (outside, listener.accept().unwrap())
        };
        let _through: Vec<_> = (0..MOST).map(|_| pair()).collect();
        let mut more = TcpStream::connect(passage.outside).unwrap();
        assert_eq!(more.read(&mut [0]).unwrap_or(0), 0, "it is closed");
    }

    #[test]
    fn what_the_kernel_says() {
        let answer = |error: i32| [&[0; 16][..], &error.to_ne_bytes(), &[0; 16]].concat();
        assert!(error_in(&answer(0)).is_ok());
        // EPERM.
        let error = error_in(&answer(-1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(error_in(&[0; 16]).is_err());
    }
}
