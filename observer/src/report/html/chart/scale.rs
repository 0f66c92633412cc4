//! Round numbers of bytes on the axis of a panel.

use observer_core::Bytes;

/// A scale from its base to a round number of steps above it, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    base: f64,
    step: u64,
    steps: u32,
}

impl Scale {
    /// One that covers all of `values`, with at most so many steps. It begins at the lowest value.
    pub(super) fn of(values: impl Iterator<Item = f64>, most: u32) -> Self {
        let (base, top) =
            values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let base = if base.is_finite() { base } else { 0.0 };
        let range = (top - base).clamp(1.0, 1e18);
        let step = round_up(range / f64::from(most));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few, of a clamped range"
        )]
        let (step, steps) = (step as u64, (range / step).ceil() as u32);
        Self { base, step, steps }
    }

    /// How high a value lies, between 0 and 1.
    #[expect(clippy::cast_precision_loss, reason = "a picture")]
    pub(super) fn height(&self, value: f64) -> f64 {
        let range = self.step as f64 * f64::from(self.steps);
        ((value - self.base) / range).clamp(0.0, 1.0)
    }

    /// Its lines: how high each lies, and its label.
    pub(super) fn lines(&self) -> impl Iterator<Item = (f64, String)> {
        let Self { step, steps, .. } = *self;
        (0..=steps).map(move |index| {
            // The steps are round: their decimals say nothing.
            let label = Bytes(u64::from(index).saturating_mul(step)).to_string().replace(".0 ", " ");
            (f64::from(index) / f64::from(steps), label)
        })
    }
}

/// The next round number, at least 1.
fn round_up(wanted: f64) -> f64 {
    let power = 10_f64.powf(wanted.max(1.0).log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0].map(|factor| (factor * power).ceil());
    steps.into_iter().find(|step| *step >= wanted).unwrap_or(power * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_what_it_is_given_in_a_few_round_steps() {
        for (values, labels) in [
            (vec![], vec!["0 B", "1 B"]),
            (vec![7.0], vec!["0 B", "1 B"]),
            (vec![1e6, 12_900_000.0], vec!["0 B", "4 MB", "8 MB", "12 MB"]),
            (vec![0.0, 65_536.0], vec!["0 B", "30 kB", "60 kB", "90 kB"]),
        ] {
            let scale = Scale::of(values.iter().copied(), 3);
            assert_eq!(scale.lines().map(|(_, label)| label).collect::<Vec<_>>(), labels);
            let heights: Vec<_> = values.iter().map(|value| scale.height(*value)).collect();
            assert!(heights.iter().all(|height| (0.0..=1.0).contains(height)) && heights.is_sorted());
        }
        assert!(Scale::of([0.0, 1e30, f64::NAN].into_iter(), 3).lines().count() < 6);
    }
}
