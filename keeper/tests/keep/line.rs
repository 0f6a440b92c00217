//! A launcher's end of the line to a keeper.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use selvedge_keeper::line::ENDED;
use testbed::process::wait_until;

use super::SOON;

pub(crate) struct Line(pub(crate) BufReader<TcpStream>);

/// A port at which nobody listens.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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
