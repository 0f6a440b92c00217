//! What a person sees of a step while it runs: that it began, what it does, that it still runs.

use std::io::{IsTerminal, Write, stdout};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anstyle::Style;

/// What is beside the point.
pub const DIM: Style = Style::new().dimmed();

/// How often a terminal's line shows the time that a step takes.
const SECOND: Duration = Duration::from_secs(1);

/// How often it is said that a step still runs, where that takes a line.
const REMINDER: Duration = Duration::from_secs(15);

/// How a step is shown while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// On the terminal's current line, which is written anew.
    Live,
    /// By a line for each thing that there is to say.
    Lines,
    /// By its title alone: what it runs writes on the terminal by itself.
    ByItself,
}

/// Where steps are shown.
pub(crate) struct Screen {
    out: Mutex<Box<dyn Write + Send>>,
    terminal: bool,
    reminder: Duration,
}

impl Screen {
    /// Our own output.
    pub(crate) fn standard() -> Self {
        let out = Mutex::new(Box::new(anstream::stdout()) as _);
        Self { out, terminal: stdout().is_terminal(), reminder: REMINDER }
    }

    /// For a step that reports what it does.
    pub(crate) fn reporting(&self) -> Shown {
        if self.terminal { Shown::Live } else { Shown::Lines }
    }

    /// For a step that runs programs which write by themselves.
    pub(crate) fn by_itself(&self) -> Shown {
        if self.terminal { Shown::ByItself } else { Shown::Lines }
    }

    /// Takes a step, which may report what it is doing, a line at a time; ends with `last`, which
    /// is told what came of it.
    pub(crate) fn show<T>(
        &self,
        title: &str,
        shown: Shown,
        step: impl FnOnce(&mut dyn FnMut(&str)) -> T,
        last: impl FnOnce(&T) -> String,
    ) -> T {
        let begun = Instant::now();
        let running = format!("{DIM}… {title}{DIM:#}");
        self.write(&if shown == Shown::Live { running.clone() } else { format!("{running}\n") });
        let (step_is_over, over) = channel::<()>();
        let result = thread::scope(|scope| {
            let interval = if shown == Shown::Live { SECOND } else { self.reminder };
            scope.spawn(move || {
                while over.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                    self.write(&still(title, shown, begun.elapsed()));
                }
            });
            let result = step(&mut |line| self.write(&report(line, &running, shown)));
            drop(step_is_over);
            result
        });
        let clear = if shown == Shown::Live { CLEAR } else { "" };
        self.write(&format!("{clear}{}\n", last(&result)));
        result
    }

    /// Writes a text. An output that is gone is no reason to stop.
    pub(crate) fn write(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// Empties the terminal's current line.
const CLEAR: &str = "\r\x1b[2K";

fn report(line: &str, running: &str, shown: Shown) -> String {
    let line = format!("  {DIM}{line}{DIM:#}\n");
    if shown == Shown::Live { format!("{CLEAR}{line}{running}") } else { line }
}

fn still(title: &str, shown: Shown, time: Duration) -> String {
    let running = format!("{DIM}… {title}, {} s so far{DIM:#}", time.as_secs());
    match shown {
        Shown::Live => format!("{CLEAR}{running}"),
        Shown::Lines => format!("{running}\n"),
        Shown::ByItself => String::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    /// What was shown.
    #[derive(Clone, Default)]
    pub(crate) struct Seen(Arc<Mutex<Vec<u8>>>);

    impl Seen {
        pub(crate) fn text(&self) -> String {
            let bytes = self.0.lock().unwrap().clone();
            anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string()
        }
    }

    impl Write for Seen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A screen that is looked at.
    pub(crate) fn screen(terminal: bool, reminder: Duration) -> (Screen, Seen) {
        let seen = Seen::default();
        (Screen { out: Mutex::new(Box::new(seen.clone())), terminal, reminder }, seen)
    }

    #[test]
    fn a_step_is_shown_before_it_does_anything() {
        for terminal in [true, false] {
            let (screen, seen) = screen(terminal, REMINDER);
            for shown in [screen.reporting(), screen.by_itself()] {
                let before = seen.text().len();
                screen.show(
                    "build",
                    shown,
                    |_| assert_eq!(seen.text()[before..].trim(), "… build", "{shown:?}"),
                    |()| "built".into(),
                );
                assert!(seen.text().ends_with("built\n"), "{shown:?}");
            }
        }
    }

    #[test]
    fn a_step_that_says_nothing_is_seen_to_run() {
        let (screen, seen) = screen(false, Duration::from_millis(1));
        let is_told = || seen.text().contains("… build, 0 s so far\n");
        let told = screen.show(
            "build",
            screen.reporting(),
            |_| testbed::process::wait_until(Duration::from_mins(1), is_told),
            |_| String::new(),
        );
        assert!(told, "{}", seen.text());
    }

    #[test]
    fn what_a_step_reports_is_shown_at_once_and_its_title_stays() {
        let (screen, seen) = screen(true, REMINDER);
        screen.show(
            "build",
            screen.reporting(),
            |report| {
                report("one of two");
                assert!(seen.text().ends_with("  one of two\n… build"), "{}", seen.text());
            },
            |()| "built".into(),
        );
    }
}
