//! Several measurements of one thing: their median, how far they spread, and what that says.

use serde::Serialize;

/// The median of some values, the least and the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
        Self {
            median: f64::midpoint(values[low], values[high]),
            min: values[0],
            max: values[values.len() - 1],
        }
    }

    /// In another unit.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        let Self { median, min, max } = self;
        Self { median: median * factor, min: min * factor, max: max * factor }
    }
}

/// By how much a ratio of two medians may be off, when `same` are ratios of what ought to be alike.
///
/// Two standard errors, by the median of the deviations from 1, which one disturbed round does not
/// move (it is 0.67 of a standard deviation, that of a median of n 1.25 / √n of one). The ratio in
/// question is of a load to the mean of the two beside it, which varies 0.87 as much.
pub(crate) fn uncertainty(same: impl IntoIterator<Item = f64>) -> f64 {
    let deviations: Vec<f64> = same.into_iter().map(|ratio| ratio.ln().abs()).collect();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let count = deviations.len() as f64;
    2.0 * 1.25 * 0.87 / 0.67 * Spread::of(deviations).median / count.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_odd_and_even_counts() {
        let odd = Spread::of([3.0, 1.0, 2.0]);
        assert_eq!(odd, Spread { median: 2.0, min: 1.0, max: 3.0 });
        let even = Spread::of([4.0, 1.0, 2.0, 3.0]);
        assert_eq!(even, Spread { median: 2.5, min: 1.0, max: 4.0 });
    }
    #[test]
    fn more_rounds_and_quieter_ones_say_more() {
        let two = uncertainty([1.02, 1.0 / 1.02]);
        assert!((0.04..0.05).contains(&two), "{two}");
        let eight = uncertainty([1.02; 8]);
        assert!((eight - two / 2.0).abs() < 1e-9, "four times as many rounds say twice as much");
        assert!(uncertainty([1.01; 8]) < eight);
        assert!((uncertainty([1.01, 1.01, 5.0]) - uncertainty([1.01; 3])).abs() < 1e-9);
    }
}
