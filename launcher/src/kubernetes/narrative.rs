//! What a container's log tells: the lines of the chaincode, and between them its keeper's word of
//! each end.

use std::time::{Duration, SystemTime};

use selvedge_keeper::report::{End, GIVEN_UP, LET_GO, PREFIX, Report};

use crate::backend::{DISCONNECTED, ReplicaEvent, ReplicaExit};
use crate::last_lines::LastLines;

/// One that is started again only after this time is told of as one that cannot run: transactions need
/// not wait for it, as they would for 2 s at most.
const HOPELESS: Duration = Duration::from_secs(1);

/// What a line tells.
#[derive(Debug)]
pub(super) enum Told {
    /// The chaincode has written it.
    Line(String),
    /// It is told to nobody. The chaincode has written it when nobody waited for it any more: a shim has
    /// the end of its stream for an error, and says so. Or it is told with the end that follows.
    Aside(String),
    /// This; the chaincode has ended, and is started again then.
    Again(Vec<ReplicaEvent>, SystemTime),
    /// It has ended in this way, and rests until it is wanted. Whether that is something to tell of, the
    /// proxy knows.
    Rests(ReplicaExit),
}

/// The log of one container.
pub(super) struct Narrative {
    /// What the chaincode wrote since it was last started.
    last_lines: LastLines,
    /// What is said if it was killed for want of memory.
    out_of_memory: String,
    /// What runs was started before, and ends when it has lost its connection to an earlier run.
    is_from_before: bool,
    /// What runs was let go by its proxy.
    is_let_go: bool,
    /// It was killed at its launcher's order.
    is_given_up: bool,
}

impl Narrative {
    /// Before its first line, or, of a container `is_from_before`, its next one.
    pub(super) fn new(out_of_memory: String, is_from_before: bool) -> Self {
        let last_lines = LastLines::default();
        Self { last_lines, out_of_memory, is_from_before, is_let_go: false, is_given_up: false }
    }

    /// What the next line tells.
    pub(super) fn line(&mut self, line: String) -> Told {
        let Some(Report { end, row, delay }) = Report::read(&line) else {
            let own = line.strip_prefix(PREFIX);
            self.is_let_go |= own == Some(LET_GO);
            let is_given_up = own == Some(GIVEN_UP);
            self.is_given_up |= is_given_up;
            if self.is_let_go || is_given_up {
                return Told::Aside(line);
            }
            self.last_lines.remember(&line);
            return Told::Line(line);
        };
        self.is_let_go = false;
        // It may have ended by itself before it was killed.
        let is_given_up = std::mem::take(&mut self.is_given_up);
        let status = match end {
            End::Signalled(9) if is_given_up => DISCONNECTED.to_owned(),
            End::OutOfMemory => self.out_of_memory.clone(),
            end => end.to_string(),
        };
        let last_lines = std::mem::take(&mut self.last_lines).of_end(Some(end.code()));
        let exit = ReplicaExit { status, last_lines };
        let is_from_before = std::mem::take(&mut self.is_from_before);
        let Some(delay) = delay else { return Told::Rests(exit) };
        let next_start = SystemTime::now() + delay;
        if is_from_before {
            let line = format!("what an earlier run has left ended: {exit}");
            return Told::Again(vec![ReplicaEvent::Line(line)], next_start);
        }
        let trouble = (delay >= HOPELESS)
            .then(|| ReplicaEvent::Trouble(format!("it ended {row} times in a row: {exit}")));
        let events = [ReplicaEvent::Exited(exit)].into_iter().chain(trouble).collect();
        Told::Again(events, next_start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of these lines, without what is told of each as a line.
    fn told(narrative: &mut Narrative, lines: &[&str], end: End, seconds: u64) -> Vec<String> {
        let report = Report { end, row: 2, delay: Some(Duration::from_secs(seconds)) };
        let report = format!("{}{report}", selvedge_keeper::report::PREFIX);
        for line in lines {
            let told = narrative.line((*line).to_owned());
            assert!(matches!(&told, Told::Line(told) if told == line), "{told:?}");
        }
        let Told::Again(events, _) = narrative.line(report) else { panic!("no end") };
        let words = events.into_iter().map(|event| match event {
            ReplicaEvent::Exited(exit) => exit.to_string(),
            ReplicaEvent::Trouble(reason) => format!("trouble: {reason}"),
            other => format!("{other:?}"),
        });
        words.collect()
    }

    #[test]
    fn each_end_is_told_with_what_was_written_before_it_and_trouble_where_it_lasts() {
        let mut narrative = Narrative::new("too much memory".to_owned(), false);
        let first = told(&mut narrative, &["ready", "giving up"], End::Exited(3), 0);
        assert_eq!(first, ["exit status: 3; it wrote: ready | giving up"]);
        assert_eq!(
            told(&mut narrative, &["panic: oh", "goroutine 1"], End::Exited(2), 1),
            [
                "exit status: 2; it wrote: panic: oh",
                "trouble: it ended 2 times in a row: exit status: 2; it wrote: panic: oh",
            ]
        );
        let last = told(&mut narrative, &[], End::OutOfMemory, 0);
        assert_eq!(last, ["too much memory; it wrote nothing"]);
        narrative.line("no configuration".to_owned());
        let report = Report { end: End::Exited(3), row: 1, delay: None };
        let report = format!("{}{report}", selvedge_keeper::report::PREFIX);
        let Told::Rests(exit) = narrative.line(report) else { panic!("it rests") };
        assert_eq!(exit.to_string(), "exit status: 3; it wrote: no configuration");
    }

    #[test]
    fn one_that_was_killed_at_the_launchers_order_had_lost_its_connection() {
        let mut narrative = Narrative::new("too much memory".to_owned(), false);
        let given_up = format!("{PREFIX}{GIVEN_UP}");
        narrative.line("at work".to_owned());
        assert!(matches!(narrative.line(given_up), Told::Aside(_)));
        // It may be read before what was written before it.
        let killed = told(&mut narrative, &["at work still"], End::Signalled(9), 0);
        assert_eq!(killed, [format!("{DISCONNECTED}; it wrote: at work | at work still")]);
        let next = told(&mut narrative, &[], End::Signalled(9), 0);
        assert_eq!(next, ["signal: 9; it wrote nothing"]);
    }

    #[test]
    fn what_one_writes_that_was_let_go_is_told_to_nobody() {
        let mut narrative = Narrative::new("too much memory".to_owned(), false);
        let told = |told: Told| match told {
            Told::Line(line) => line,
            Told::Aside(line) => format!("aside: {line}"),
            other => format!("{other:?}"),
        };
        let mut hear = |line: &str| told(narrative.line(line.to_owned()));
        assert_eq!(hear("answered"), "answered");
        assert!(hear(&format!("{PREFIX}{LET_GO}")).starts_with("aside"));
        assert_eq!(hear("EOF"), "aside: EOF");
        let report = Report { end: End::Exited(1), row: 1, delay: None };
        assert!(hear(&format!("{PREFIX}{report}")).contains("answered"));
        assert_eq!(hear("the next one starts"), "the next one starts");
    }

    #[test]
    fn that_one_from_before_has_ended_is_no_failure_and_that_the_next_has_is_one() {
        let mut narrative = Narrative::new("too much memory".to_owned(), true);
        let first = told(&mut narrative, &["connection lost"], End::Exited(1), 5);
        assert_eq!(first.len(), 1);
        assert!(first[0].starts_with("Line"), "{first:?}");
        let next = told(&mut narrative, &["giving up"], End::Exited(3), 0);
        assert_eq!(next, ["exit status: 3; it wrote: giving up"]);
    }
}
