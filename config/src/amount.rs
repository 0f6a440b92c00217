//! Quantities as Kubernetes writes them.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// What each suffix stands for (`k8s.io/apimachinery/pkg/api/resource/suffix.go`).
const SUFFIXES: [(&str, f64); 16] = [
    ("", 1.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
];

/// What a quantity that is none should have been.
pub(crate) const EXPECTED: &str = "a quantity such as 500m, 1.5 or 64Mi";

/// The number that a quantity stands for, near enough to compare two; none if it is no quantity
/// that something can have, which a negative one is not.
pub(crate) fn amount(Quantity(text): &Quantity) -> Option<f64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = match digits.parse() {
        Ok(number) if text.starts_with(|c: char| c.is_ascii_digit() || ".+".contains(c)) => number,
        _ => return None,
    };
    let suffix = &text[digits.len()..];
    if let Some((_, factor)) = SUFFIXES.iter().find(|(known, _)| *known == suffix) {
        return Some(number * factor);
    }
    // A decimal exponent: 12e6.
    text.parse().ok().filter(|_| suffix.is_empty() || !suffix.ends_with(['f', 'n', 'y']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_known_from_what_is_none() {
        let of = |text: &str| amount(&Quantity(text.into()));
        let same = |a: &str, b: &str| (of(a).unwrap() - of(b).unwrap()).abs() < 1e-6;
        assert!(same("500m", "0.5") && same("1Ki", "1024") && same("12e6", "12M"));
        assert!(of("64Mi") > of("64M"));
        for wrong in ["", "Mi", "64MiB", "-1", "fast", "1 Gi", "inf", "nan", "0x10", "1_0"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
