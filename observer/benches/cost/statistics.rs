//! Medians, and how far the numbers lie apart.

use std::fmt;

use serde::Serialize;

/// The middle of some numbers, and the middle half of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// Half of them are not above it.
    pub(crate) median: f64,
    /// A quarter of them is below it.
    pub(crate) lower_quartile: f64,
    /// A quarter of them is above it.
    pub(crate) upper_quartile: f64,
}

impl Spread {
    /// Of at least one number.
    ///
    /// # Panics
    ///
    /// Without any.
    pub(crate) fn of(mut numbers: Vec<f64>) -> Self {
        numbers.sort_by(f64::total_cmp);
        let last = numbers.len() - 1;
        let at = |quarters: usize| {
            // Between two numbers, their mean.
            let (low, high) = ((last * quarters) / 4, (last * quarters).div_ceil(4));
            f64::midpoint(numbers[low], numbers[high])
        };
        Self { median: at(2), lower_quartile: at(1), upper_quartile: at(3) }
    }

    /// The same in another unit.
    pub(crate) fn scaled(self, by: f64) -> Self {
        let Self { median, lower_quartile, upper_quartile } = self;
        Self { median: by * median, lower_quartile: by * lower_quartile, upper_quartile: by * upper_quartile }
    }
}

impl fmt::Display for Spread {
    /// With as many digits as the precision says; the width is that of all of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        let Self { median, lower_quartile, upper_quartile } = self;
        let text = format!("{median:.digits$} ({lower_quartile:.digits$} to {upper_quartile:.digits$})");
        write!(f, "{text:<width$}", width = f.width().unwrap_or(0))
    }
}
