//! Round distances of the ticks on an axis of time.

use std::time::Duration;

/// What the labels of an axis count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Milliseconds,
    Seconds,
    Minutes,
}

impl Unit {
    /// Its name.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Milliseconds => "milliseconds",
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
        }
    }

    /// Its sign, as it stands behind a number.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Minutes => "min",
        }
    }

    /// How many of it a time is.
    pub(super) fn label(self, time: Duration) -> String {
        match self {
            Self::Milliseconds => time.as_millis().to_string(),
            Self::Seconds => time.as_secs().to_string(),
            Self::Minutes => (time.as_secs() / 60).to_string(),
        }
    }
}

/// How far apart the ticks of an axis of this length are: a round number, at most `most` times in it.
pub(super) fn step(span: Duration, most: u32) -> (Duration, Unit) {
    const STEPS: [(u64, Unit); 20] = [
        (2, Unit::Milliseconds),
        (5, Unit::Milliseconds),
        (10, Unit::Milliseconds),
        (20, Unit::Milliseconds),
        (50, Unit::Milliseconds),
        (100, Unit::Milliseconds),
        (200, Unit::Milliseconds),
        (500, Unit::Milliseconds),
        (1_000, Unit::Seconds),
        (2_000, Unit::Seconds),
        (5_000, Unit::Seconds),
        (10_000, Unit::Seconds),
        (20_000, Unit::Seconds),
        (30_000, Unit::Seconds),
        (60_000, Unit::Seconds),
        (120_000, Unit::Minutes),
        (300_000, Unit::Minutes),
        (600_000, Unit::Minutes),
        (1_800_000, Unit::Minutes),
        (3_600_000, Unit::Minutes),
    ];
    let fits = STEPS.iter().find(|(step, _)| span <= Duration::from_millis(*step).saturating_mul(most));
    if let Some((step, unit)) = fits {
        return (Duration::from_millis(*step), *unit);
    }
    // Whole minutes, however many.
    let few = u64::from((most * 2 / 3).max(1));
    (Duration::from_secs(60 * (span.as_secs() / 60 / few).max(1)), Unit::Minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for millis in [10, 99, 1_000, 9_999, 59_000, 61_000, 600_000, 7_200_000, 86_400_000, 10_000_000_000] {
            for most in [5, 9] {
                let span = Duration::from_millis(millis);
                let (step, unit) = step(span, most);
                let ticks = span.as_millis() / step.as_millis();
                assert!(ticks <= most.into(), "{millis} ms: {ticks} ticks of {step:?}");
                assert_ne!(unit.label(step), "0", "{millis} ms: {step:?}");
            }
        }
    }
}
