//! Steps as they happen: one line each with its time, and a closing table.

use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};

pub use crate::screen::DIM;
use crate::screen::{Screen, Shown};

/// What went well.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What did not.
pub const BAD: Style = AnsiColor::Red.on_default().bold();

/// A sequence of steps.
pub struct Steps {
    begin: Instant,
    taken: Vec<Step>,
    screen: Screen,
}

struct Step {
    title: String,
    time: Duration,
    well: bool,
}

impl Steps {
    /// None is taken yet.
    pub fn begin() -> Self {
        Self::on(Screen::standard())
    }

    fn on(screen: Screen) -> Self {
        Self { begin: Instant::now(), taken: Vec::new(), screen }
    }

    /// Takes a step: it is seen that it begins, that it goes on, and how it ended. It may report
    /// what it is doing, a line at a time.
    pub fn take<T>(
        &mut self,
        title: &str,
        step: impl FnOnce(&mut dyn FnMut(&str)) -> Result<T>,
    ) -> Result<T> {
        self.take_shown(title, self.screen.reporting(), step)
    }

    /// As [`Steps::take`], for a step that runs programs which print by themselves what they are
    /// doing.
    pub fn take_aloud<T>(&mut self, title: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        self.take_shown(title, self.screen.by_itself(), |_| step())
    }

    fn take_shown<T>(
        &mut self,
        title: &str,
        shown: Shown,
        step: impl FnOnce(&mut dyn FnMut(&str)) -> Result<T>,
    ) -> Result<T> {
        let started = Instant::now();
        let taken = |result: &Result<T>| Step {
            title: title.to_owned(),
            time: started.elapsed(),
            well: result.is_ok(),
        };
        let result = self.screen.show(title, shown, step, |result| taken(result).line(0));
        self.taken.push(taken(&result));
        result.with_context(|| format!("{title} failed"))
    }

    /// How long the step of that title took.
    pub fn time(&self, title: &str) -> Option<Duration> {
        self.taken.iter().find(|step| step.title == title).map(|step| step.time)
    }

    /// Prints every step with its time, and the sum.
    pub fn print_table(&self) {
        let width = self.taken.iter().map(|step| step.title.chars().count()).max().unwrap_or(0);
        let lines: Vec<String> = self.taken.iter().map(|step| step.line(width)).collect();
        let total = seconds(self.begin.elapsed());
        self.screen.write(&format!("\n{}\n  {:width$}  {total}\n", lines.join("\n"), "in all"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_in_the_error_and_in_the_table() {
        let (screen, seen) = crate::screen::tests::screen(false, Duration::MAX);
        let mut steps = Steps::on(screen);
        let error =
            steps.take("install", |_| -> Result<()> { anyhow::bail!("no such file") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "install failed: no such file");
        steps.print_table();
        let text = seen.text();
        assert_eq!(text.matches("✗ install").count(), 2, "{text}");
        assert!(text.contains("in all"), "{text}");
    }
}
