//! Durations as Go's `time.ParseDuration` takes them.

/// The most nanoseconds that Go's `time.Duration` holds.
const MOST: u128 = i64::MAX as u128;

/// The nanoseconds that a text says, if Go takes it for a duration (`src/time/format.go`).
pub(super) fn nanoseconds(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0;
    while !rest.is_empty() {
        let (nanoseconds, after) = amount(rest)?;
        total += nanoseconds;
        // One more may be below zero.
        if total > MOST + u128::from(sign < 0) {
            return None;
        }
        rest = after;
    }
    Some(sign * i128::try_from(total).ok()?)
}

/// A number with its unit; what follows.
fn amount(text: &str) -> Option<(u128, &str)> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    let unit = unit(name)?;
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // As many digits as a nanosecond of an hour has.
    let fraction = &fraction[..fraction.len().min(13)];
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = fraction.parse::<u128>().unwrap_or_default() * unit / scale;
    Some((whole.checked_mul(unit)?.checked_add(part)?.min(MOST + 2), after))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn unit(name: &str) -> Option<u128> {
    Some(match name {
        "ns" => 1,
        // The micro sign, and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each tried with Go 1.26.
    #[test]
    fn what_go_takes() {
        for (text, expected) in [
            ("10s", 10_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("500ms", 500_000_000),
            ("3\u{b5}s4\u{3bc}s5us", 12_000),
            ("0", 0),
            ("+0", 0),
            ("0s", 0),
            ("-2s", -2_000_000_000),
            ("+2ns", 2),
            ("1s1s", 2_000_000_000),
            ("0.25h", 900_000_000_000),
            ("9223372036854775807ns", i128::from(i64::MAX)),
            ("-9223372036854775808ns", i128::from(i64::MIN)),
            ("2562047h47m16.854775807s", i128::from(i64::MAX)),
        ] {
            assert_eq!(nanoseconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_go_refuses() {
        for text in [
            "",
            "3",
            "10",
            "-",
            "+",
            ".",
            "s",
            ".s",
            "1.2",
            "10 s",
            " 10s",
            "10s ",
            "10S",
            "10sec",
            "1d",
            "1,5s",
            "--1s",
            "1s-1s",
            "1e3s",
            "10s\n",
            "9223372036854775808ns",
            "3000000h",
            "99999999999999999999999999999999999999999h",
        ] {
            assert_eq!(nanoseconds(text), None, "{text:?}");
        }
    }
}
