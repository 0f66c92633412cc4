//! The picture of what happens now, standing still.
//!
//! Only the picture does: events go on to the judgement, the log and the histories, and going on shows the present. A
//! recording has no use for it, as its player stands still itself.

use observer_core::{Timestamp, Tracker};

use super::observed::{Observed, Scene};
use crate::text::short;

/// What was known when it was stopped: one copy, however long it stands.
#[derive(Debug)]
pub(super) struct Paused {
    observed: Observed,
    tracker: Tracker,
    at: Timestamp,
    /// Findings that are not on the picture.
    findings: u64,
}

impl Paused {
    /// Stops at this scene.
    pub(super) fn at(scene: Scene<'_>) -> Self {
        let Scene { observed, tracker, now } = scene;
        Self { observed: observed.clone(), tracker: tracker.clone(), at: now, findings: 0 }
    }

    /// Something was found meanwhile.
    pub(super) fn miss(&mut self) {
        self.findings = self.findings.saturating_add(1);
    }

    /// What there is to see.
    pub(super) fn scene(&self) -> Scene<'_> {
        Scene { observed: &self.observed, tracker: &self.tracker, now: self.at }
    }

    /// What the header says: `PAUSED 12.3 s, 2 findings since`.
    pub(super) fn words(&self, now: Timestamp) -> String {
        let since = short(now.since(self.at));
        match self.findings {
            0 => format!("PAUSED {since}"),
            1 => format!("PAUSED {since}, 1 finding since"),
            findings => format!("PAUSED {since}, {findings} findings since"),
        }
    }
}
