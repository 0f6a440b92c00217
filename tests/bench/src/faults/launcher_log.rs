//! What a launcher's log tells of transactions.

/// How many were run again so far.
pub(crate) fn run_again(log: &str) -> u64 {
    let counts = log.lines().filter_map(|line| line.split_once("run_again="));
    let number = |(_, rest): (&str, &str)| {
        rest.split(|next: char| !next.is_ascii_digit()).next()?.parse::<u64>().ok()
    };
    counts.filter_map(number).sum()
}
