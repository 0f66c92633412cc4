//! Medians, how far the numbers lie apart, and how certain the medians are.

use std::fmt;

use serde::Serialize;

/// How improbable it is that a median lies outside its interval, to either side.
const DOUBT: f64 = 0.025;

/// The middle of some numbers, and the middle half of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// Half of them are not above it.
    pub(crate) median: f64,
    /// A quarter of them is below it.
    pub(crate) lower_quartile: f64,
    /// A quarter of them is above it.
    pub(crate) upper_quartile: f64,
    /// What the median would be with more and more numbers lies in here, with a certainty of 95 %.
    pub(crate) interval: Option<[f64; 2]>,
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
        let interval = interval(&numbers);
        Self { median: at(2), lower_quartile: at(1), upper_quartile: at(3), interval }
    }

    /// The same in another unit.
    pub(crate) fn scaled(self, by: f64) -> Self {
        Self {
            median: by * self.median,
            lower_quartile: by * self.lower_quartile,
            upper_quartile: by * self.upper_quartile,
            interval: self.interval.map(|ends| ends.map(|end| by * end)),
        }
    }

    /// The median and its interval.
    pub(crate) fn certainty(self) -> String {
        let Self { median, interval, .. } = self;
        interval.map_or(format!("{median:.3}"), |[low, high]| format!("{median:.3} [{low:.3} to {high:.3}]"))
    }
}

/// The interval of the median, whatever the distribution: each number is as probably below the median as above it, so
/// how many are below it is a matter of tossing coins. Fewer than six numbers are too few.
fn interval(sorted: &[f64]) -> Option<[f64; 2]> {
    let count = u32::try_from(sorted.len()).ok()?;
    let mut probability = (0..count).fold(1.0, |all, _| all / 2.0);
    let (mut sum, mut below) = (probability, 0);
    while sum <= DOUBT {
        probability *= f64::from(count - below) / f64::from(below + 1);
        below += 1;
        sum += probability;
    }
    let first = usize::try_from(below).ok()?.checked_sub(1)?;
    Some([sorted[first], sorted[sorted.len() - 1 - first]])
}

impl fmt::Display for Spread {
    /// With as many digits as the precision says; the width is that of all of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        let Self { median, lower_quartile, upper_quartile, .. } = self;
        let text = format!("{median:.digits$} ({lower_quartile:.digits$} to {upper_quartile:.digits$})");
        write!(f, "{text:<width$}", width = f.width().unwrap_or(0))
    }
}
