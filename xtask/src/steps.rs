//! Steps as they happen: one line each with its time, and a closing table.

use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};

/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What did not.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What is beside the point.
pub(crate) const DIM: Style = Style::new().dimmed();

/// A sequence of steps.
pub(crate) struct Steps {
    begin: Instant,
    taken: Vec<Step>,
    /// A running step's title stands on the terminal's current line.
    live: bool,
}

struct Step {
    title: String,
    time: Duration,
    well: bool,
}

impl Steps {
    pub(crate) fn begin() -> Self {
        Self { begin: Instant::now(), taken: Vec::new(), live: stdout().is_terminal() }
    }

    /// Takes a step and prints its line. The step may report what it is doing, a line at a time.
    pub(crate) fn take<T>(
        &mut self,
        title: &str,
        step: impl FnOnce(&mut dyn FnMut(&str)) -> Result<T>,
    ) -> Result<T> {
        let live = self.live;
        let started = Instant::now();
        show_running(live, title);
        let result = step(&mut |line| {
            clear(live);
            anstream::println!("  {DIM}{line}{DIM:#}");
            show_running(live, title);
        });
        clear(live);
        let step = Step { title: title.to_owned(), time: started.elapsed(), well: result.is_ok() };
        anstream::println!("{}", step.line(0));
        self.taken.push(step);
        result.with_context(|| format!("{title} failed"))
    }

    /// As [`Steps::take`], for a step that prints by itself what it is doing.
    pub(crate) fn take_aloud<T>(
        &mut self,
        title: &str,
        step: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        anstream::println!("{DIM}… {title}{DIM:#}");
        let live = std::mem::replace(&mut self.live, false);
        let result = self.take(title, |_| step());
        self.live = live;
        result
    }

    /// How long the step of that title took.
    pub(crate) fn time(&self, title: &str) -> Option<Duration> {
        self.taken.iter().find(|step| step.title == title).map(|step| step.time)
    }

    /// Prints every step with its time, and the sum.
    pub(crate) fn print_table(&self) {
        let width = self.taken.iter().map(|step| step.title.chars().count()).max().unwrap_or(0);
        anstream::println!();
        for step in &self.taken {
            anstream::println!("{}", step.line(width));
        }
        let total = seconds(self.begin.elapsed());
        anstream::println!("  {:width$}  {total}", "in all");
    }
}

impl Step {
    fn line(&self, width: usize) -> String {
        let (style, mark) = if self.well { (GOOD, "✓") } else { (BAD, "✗") };
        let time = seconds(self.time);
        format!("{style}{mark}{style:#} {:width$}  {time}", self.title)
    }
}

fn seconds(time: Duration) -> String {
    format!("{:7.2} s", time.as_secs_f64())
}

fn show_running(live: bool, title: &str) {
    if live {
        anstream::print!("{DIM}… {title}{DIM:#}");
        // A terminal that is gone is no reason to stop.
        let _ = stdout().flush();
    }
}

fn clear(live: bool) {
    if live {
        anstream::print!("\r\x1b[2K");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_in_the_error_and_in_the_table() {
        let mut steps = Steps::begin();
        let error =
            steps.take("install", |_| -> Result<()> { anyhow::bail!("no such file") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "install failed: no such file");
        assert!(steps.taken[0].line(0).contains('✗'));
    }
}
