//! The curve of what an end has acknowledged, in few points.

use std::time::Duration;

use observer_core::{Milestone, Timestamp};

/// Points that are kept: as many as the judgement looks at (observer-core/src/connection/curve.rs).
const MOST: usize = 64;

/// How far two points are apart at least, in bytes or in time: what comes closer moves the last one. The server's buffer,
/// of which a third counts, has 16 KiB at least and 4 MiB as a rule at most.
const BYTES: u64 = 16 << 10;
const TIME: Duration = Duration::from_secs(1);

/// The curve, dense in the end and thinner the further back it goes.
#[derive(Debug, Default)]
pub(super) struct Milestones(Vec<Milestone>);

impl Milestones {
    /// The count came to `acknowledged` at `at`.
    pub(super) fn note(&mut self, at: Timestamp, acknowledged: u64) {
        let point = Milestone { at, acknowledged };
        if let [.., before, last] = &mut self.0[..]
            && last.acknowledged - before.acknowledged < BYTES
            && last.at.since(before.at) < TIME
            && at.since(last.at) < TIME
        {
            *last = point;
            return;
        }
        if self.0.len() == MOST {
            let mut index = 0;
            self.0.retain(|_| {
                index += 1;
                index % 2 == 1 || index == MOST
            });
        }
        self.0.push(point);
    }

    pub(super) fn points(&self) -> &[Milestone] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The curve after so many steps.
    fn curve(steps: i64, bytes: u64, micros: i64) -> Vec<Milestone> {
        let mut milestones = Milestones::default();
        for step in 1..=steps {
            milestones.note(Timestamp::from_micros(step * micros), step.cast_unsigned() * bytes);
        }
        milestones.points().to_vec()
    }

    #[test]
    fn first_and_last_are_exact_and_all_lie_on_the_curve() {
        for (bytes, micros) in [(1448, 20), (65_536, 100), (3000, 200_000), (10, 5_000_000)] {
            let points = curve(100_000, bytes, micros);
            assert!(points.len() <= MOST);
            let moments: Vec<_> = points.iter().map(|point| point.at.as_micros() / micros).collect();
            assert_eq!((moments[0], *moments.last().unwrap()), (1, 100_000));
            for (moment, point) in moments.iter().zip(&points) {
                assert_eq!(point.acknowledged, moment.cast_unsigned() * bytes);
            }
        }
    }

    #[test]
    fn the_end_is_dense_and_the_rest_goes_back_far() {
        let points = curve(100_000, 1448, 20);
        let end = &points[points.len() - 16..];
        assert!(end.windows(2).all(|pair| pair[1].acknowledged - pair[0].acknowledged < 2 * BYTES));
        let middle = &points[points.len() / 2];
        assert!(points.last().unwrap().acknowledged - middle.acknowledged > 500_000);
    }

    #[test]
    fn both_sides_of_a_pause_are_exact() {
        let mut milestones = Milestones::default();
        for (millis, acknowledged) in [(0, 100), (1, 9_000), (2, 12_000), (5_002, 12_500), (5_003, 14_000)] {
            milestones.note(Timestamp::from_micros(millis * 1000), acknowledged);
        }
        let points: Vec<_> = milestones.points().iter().map(|point| point.acknowledged).collect();
        assert_eq!(points, [100, 12_000, 12_500, 14_000]);
    }
}
