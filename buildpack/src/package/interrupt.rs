//! A request to stop, made from a signal handler and heeded where bytes are read and written.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Once requested, reading or writing a package ends with an error and leaves no file behind.
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

    pub(super) fn heeded_by<T>(&self, inner: T) -> Heeding<T> {
        Heeding { inner, interrupt: self.clone() }
    }
}

/// A reader or writer that fails once its [`Interrupt`] was requested.
pub(super) struct Heeding<T> {
    inner: T,
    interrupt: Interrupt,
}

impl<T> Heeding<T> {
    pub(super) fn into_inner(self) -> T {
        self.inner
    }

    fn check(&self) -> io::Result<()> {
        // Not ErrorKind::Interrupted: the standard library would try again.
        if self.interrupt.requested() { Err(io::Error::other("interrupted")) } else { Ok(()) }
    }
}

impl<R: Read> Read for Heeding<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.read(buffer)
    }
}

impl<W: Write> Write for Heeding<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
