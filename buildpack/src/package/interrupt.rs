//! A request to stop, made from a signal handler and heeded where bytes are written.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Once requested, writing a package ends with an error and leaves no file behind.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks for the end. May be called from any thread.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn heeded_by<W: Write>(&self, inner: W) -> Heeding<W> {
        Heeding { inner, interrupt: self.clone() }
    }
}

/// A writer that fails once its [`Interrupt`] was requested.
pub(super) struct Heeding<W> {
    inner: W,
    interrupt: Interrupt,
}

impl<W> Heeding<W> {
    pub(super) fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: Write> Write for Heeding<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.interrupt.requested() {
            // Not ErrorKind::Interrupted: the standard library would try again.
            return Err(io::Error::other("interrupted"));
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
