//! A launcher's end of the line to a keeper.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

use selvedge_keeper::line::ENDED;
use testbed::process::wait_until;

use super::SOON;

pub(crate) struct Line(pub(crate) BufReader<TcpStream>);

/// A port at which nobody listens, and which the kernel gives to nobody: it is below those.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = 10_000 + u16::try_from(process::id() % 200).unwrap() * 100;
    loop {
        let port = begin + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Line {
    /// Dials the keeper that is about to listen at this port.
    pub(crate) fn dial(port: u16) -> Self {
        let mut line = None;
        let dialled = || {
            line = TcpStream::connect(("127.0.0.1", port)).ok();
            line.is_some()
        };
        assert!(wait_until(SOON, dialled), "nobody listens");
        Self(BufReader::new(line.unwrap()))
    }

    pub(crate) fn says(&mut self, word: &str) {
        self.0.get_mut().write_all(format!("{word}\n").as_bytes()).unwrap();
    }

    pub(crate) fn hears(&mut self, word: &str) {
        assert_eq!(self.next(), format!("{word}\n"));
    }

    /// That it has ended in this way.
    pub(crate) fn hears_end(&mut self, status: i32) {
        self.hears(&format!("{ENDED}{status}"));
    }

    /// The next line; nothing when there will be none.
    pub(crate) fn next(&mut self) -> String {
        let mut line = String::new();
        // One that was ended in the middle of something has ended, too.
        let _ = self.0.read_line(&mut line);
        line
    }
}
