//! Lines that are kept for whoever asks, the last ones: within bounds, whatever writes them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;

/// How many lines are kept.
const LINES: usize = 2_000;

/// How many bytes they may take; the last line is kept however long it is, which is 16 KiB at most.
const BYTES: usize = 256 << 10;

/// What a line takes besides its text.
const LINE: usize = size_of::<Line>() + 8;

/// How many lines are passed on at once.
pub(crate) const BATCH: usize = 200;

/// The last lines of something.
#[derive(Debug)]
pub(crate) struct KeptLines {
    kept: Mutex<Kept>,
    /// How many there were so far, and whether there will be more.
    news: watch::Sender<News>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Line>,
    /// The number of the first one that is kept, from 0 on.
    first: u64,
    bytes: usize,
    /// When the last one came.
    at: Option<SystemTime>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct News {
    next: u64,
    is_over: bool,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// When it came.
    pub(crate) at: SystemTime,
    /// The replica that has written it; empty if the launcher says it.
    pub(crate) replica: Arc<str>,
    pub(crate) text: String,
}

/// What was read at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) lines: Vec<Line>,
    /// How many before these were dropped unread.
    pub(crate) missed: u64,
}

/// Who reads them, each line once.
#[derive(Debug)]
pub(crate) struct Reader {
    lines: Arc<KeptLines>,
    news: watch::Receiver<News>,
    next: u64,
    /// Whose lines are read; all, if nobody's.
    replica: Option<String>,
}

impl Default for KeptLines {
    fn default() -> Self {
        Self { kept: Mutex::default(), news: watch::Sender::new(News::default()) }
    }
}

impl KeptLines {
    /// Keeps one more.
    pub(crate) fn push(&self, replica: &Arc<str>, text: &str) {
        let line = Line { at: SystemTime::now(), replica: Arc::clone(replica), text: text.into() };
        let next = {
            let mut kept = self.kept();
            kept.bytes += line.text.len() + LINE;
            kept.at = Some(line.at);
            kept.lines.push_back(line);
            while kept.lines.len() > LINES || (kept.bytes > BYTES && kept.lines.len() > 1) {
                let Some(oldest) = kept.lines.pop_front() else { break };
                kept.bytes -= oldest.text.len() + LINE;
                kept.first += 1;
            }
            kept.end()
        };
        // Two may come at the same time.
        self.news.send_modify(|news| news.next = news.next.max(next));
    }

    /// There will be no more.
    pub(crate) fn end(&self) {
        self.news.send_modify(|news| news.is_over = true);
    }

    /// When the last one came.
    pub(crate) fn last_at(&self) -> Option<SystemTime> {
        self.kept().at
    }

    /// Reads the last ones, at most `tail`, and what follows; of one replica alone, if it is named.
    pub(crate) fn read(self: &Arc<Self>, tail: Option<usize>, replica: Option<String>) -> Reader {
        let kept = self.kept();
        let end = kept.end();
        let next = match tail {
            None => kept.first,
            Some(0) => end,
            Some(tail) => {
                let its =
                    |line: &Line| replica.as_deref().is_none_or(|name| *line.replica == *name);
                let places = kept.lines.iter().enumerate().rev().filter(|(_, line)| its(line));
                let place = places.map(|(place, _)| place).take(tail).last();
                place.map_or(end, |place| kept.first + place as u64)
            }
        };
        Reader { lines: Arc::clone(self), news: self.news.subscribe(), next, replica }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // No code that could panic runs under this lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }
}

impl Reader {
    /// What there is, a batch at most, which may have no line that is wanted; nothing if all was read.
    pub(crate) fn next(&mut self) -> Option<Batch> {
        let kept = self.lines.kept();
        if self.next >= kept.end() {
            return None;
        }
        let missed = kept.first.saturating_sub(self.next);
        self.next += missed;
        let place = usize::try_from(self.next - kept.first).unwrap_or(usize::MAX);
        let mut batch = Batch { lines: Vec::new(), missed };
        for line in kept.lines.iter().skip(place) {
            if batch.lines.len() == BATCH {
                break;
            }
            self.next += 1;
            if self.replica.as_deref().is_none_or(|name| *line.replica == *name) {
                batch.lines.push(line.clone());
            }
        }
        Some(batch)
    }

    /// The number that the next line has that comes.
    pub(crate) fn end(&self) -> u64 {
        self.lines.kept().end()
    }

    /// The number of the next line that is read.
    pub(crate) fn position(&self) -> u64 {
        self.next
    }

    /// Leaves out the lines before this number; those that are not kept any more count as missed.
    pub(crate) fn skip_to(&mut self, number: u64) {
        self.next = number.min(self.end());
    }

    /// Returns when there is more to read; whether there will ever be.
    pub(crate) async fn more(&mut self) -> bool {
        let next = self.next;
        let news = self.news.wait_for(|news| news.next > next || news.is_over).await;
        news.is_ok_and(|news| news.next > next)
    }
}

impl Batch {
    /// Whether nothing was read, and nothing missed.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.missed == 0
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::BorrowMut;

    use super::*;

    fn name(name: &str) -> Arc<str> {
        name.into()
    }

    /// What is read next.
    fn texts(mut reader: impl BorrowMut<Reader>) -> Vec<String> {
        let batches = std::iter::from_fn(|| reader.borrow_mut().next());
        batches.flat_map(|batch| batch.lines).map(|line| line.text).collect()
    }

    #[test]
    fn the_last_lines_are_read_once() {
        let lines = Arc::new(KeptLines::default());
        for number in 0..5 {
            lines.push(&name(if number % 2 == 0 { "a" } else { "b" }), &number.to_string());
        }
        let mut all = lines.read(None, None);
        assert_eq!(texts(&mut all), ["0", "1", "2", "3", "4"]);
        assert_eq!(all.next(), None);
        lines.push(&name(""), "5");
        assert_eq!(texts(&mut all), ["5"]);
        let tail =
            |tail, replica: Option<&str>| texts(lines.read(tail, replica.map(str::to_owned)));
        assert_eq!(tail(Some(2), None), ["4", "5"]);
        assert_eq!(tail(Some(2), Some("a")), ["2", "4"]);
        assert!(tail(Some(0), None).is_empty());
        assert_eq!(tail(Some(9), Some("b")), ["1", "3"]);
        assert!(tail(None, Some("c")).is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_was_missed_is_said() {
        let lines = Arc::new(KeptLines::default());
        let mut reader = lines.read(None, None);
        for number in 0..LINES + 7 {
            lines.push(&name("a"), &number.to_string());
        }
        let first = reader.next().unwrap();
        assert_eq!((first.missed, first.lines.len()), (7, BATCH));
        assert_eq!(first.lines[0].text, "7");
        let long = "x".repeat(16 << 10);
        for _ in 0..100 {
            lines.push(&name("a"), &long);
        }
        let kept = lines.kept();
        assert!(
            kept.bytes <= BYTES && kept.lines.len() == BYTES / (long.len() + LINE),
            "{}",
            kept.bytes
        );
    }

    #[tokio::test]
    async fn who_follows_hears_of_what_comes_until_there_is_no_more() {
        let lines = Arc::new(KeptLines::default());
        let mut reader = lines.read(None, None);
        let followed = tokio::spawn(async move {
            let mut texts = Vec::new();
            while reader.more().await {
                let lines = reader.next().unwrap().lines;
                texts.extend(lines.into_iter().map(|line| line.text));
            }
            texts
        });
        lines.push(&name("a"), "one");
        lines.push(&name("a"), "two");
        lines.end();
        assert_eq!(followed.await.unwrap(), ["one", "two"]);
    }
}
