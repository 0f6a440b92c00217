//! What is kept of a command's output: a compiler's first errors are at its beginning, and what npm
//! has to say is at its end.

use std::collections::VecDeque;

/// The most of the beginning, and of the end, in bytes.
const HALF: usize = 128 << 10;

/// The output of a command, the middle left out where it is much.
#[derive(Debug, Default)]
pub struct KeptOutput {
    beginning: String,
    end: VecDeque<String>,
    bytes_of_end: usize,
}

impl KeptOutput {
    /// Takes the next line, without its end.
    pub fn line(&mut self, line: &str) {
        if self.end.is_empty() && self.beginning.len() + line.len() < HALF {
            self.beginning.push_str(line);
            self.beginning.push('\n');
            return;
        }
        self.bytes_of_end += line.len() + 1;
        self.end.push_back(line.to_owned());
        while self.bytes_of_end > HALF
            && let Some(first) = self.end.pop_front()
        {
            self.bytes_of_end -= first.len() + 1;
        }
    }

    /// What was kept.
    pub fn into_text(self) -> String {
        let mut text = self.beginning;
        for line in self.end {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_much() {
        let mut output = KeptOutput::default();
        for line in ["first", "second"] {
            output.line(line);
        }
        for _ in 0..1000 {
            output.line(&"x".repeat(1000));
        }
        output.line("last");
        let text = output.into_text();
        assert!(text.starts_with("first\nsecond\nxx") && text.ends_with("xx\nlast\n"));
        assert!(text.len() <= 2 * HALF && text.len() > 2 * HALF - 3000, "{}", text.len());
    }

    #[test]
    fn all_of_little() {
        let mut output = KeptOutput::default();
        let lines: Vec<String> =
            (0..200).map(|line| format!("{line}{}", "x".repeat(1000))).collect();
        for line in &lines {
            output.line(line);
        }
        assert_eq!(output.into_text().lines().collect::<Vec<_>>(), lines);
    }
}
