//! The curve of what an end has acknowledged, in few points.

use std::time::Duration;

use observer_core::{Milestone, Timestamp};

/// Points that are kept: 2 KiB for each end that receives much.
const MOST: usize = 128;

/// How far two points are apart at least, in bytes or in time: what comes closer moves the last one.
const BYTES: u64 = 32 << 10;
const TIME: Duration = Duration::from_millis(50);

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
