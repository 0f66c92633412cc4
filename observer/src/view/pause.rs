//! The picture of what happens now, standing still.
//!
//! Only the picture does: events go on to the judgement, the log and the histories, and going on shows the present. A
//! recording has no use for it, as its player stands still itself.

use observer_core::{Finding, Severity, Timestamp, Tracker};
use ratatui::style::Style;

use super::observed::{Observed, Scene};
use super::theme;
use crate::text::short;

/// What was known when it was stopped: one copy, however long it stands.
#[derive(Debug)]
pub(super) struct Paused {
    observed: Observed,
    tracker: Tracker,
    at: Timestamp,
    /// Findings that are not on the picture.
    findings: u64,
    /// The worst of them.
    worst: Severity,
}

/// What is said of a picture that stands still.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) text: String,
    pub(super) style: Style,
}

impl Paused {
    /// Stops at this scene.
    pub(super) fn at(scene: Scene<'_>) -> Self {
        let Scene { observed, tracker, now } = scene;
        Self {
            observed: observed.clone(),
            tracker: tracker.clone(),
            at: now,
            findings: 0,
            worst: Severity::Notice,
        }
    }

    /// Something was found meanwhile.
    pub(super) fn miss(&mut self, finding: &Finding) {
        self.findings = self.findings.saturating_add(1);
        self.worst = self.worst.max(finding.kind.severity());
    }

    /// What there is to see.
    pub(super) fn scene(&self) -> Scene<'_> {
        Scene { observed: &self.observed, tracker: &self.tracker, now: self.at }
    }

    /// What the header says: `PAUSED 12.3 s, ▲ 2 findings since`.
    pub(super) fn mark(&self, now: Timestamp) -> Mark {
        let since = short(now.since(self.at));
        let sign = theme::sign_of(self.worst);
        let text = match self.findings {
            0 => format!("PAUSED {since}"),
            1 => format!("PAUSED {since}, {sign} 1 finding since"),
            findings => format!("PAUSED {since}, {sign} {findings} findings since"),
        };
        Mark { text, style: theme::of_severity(self.worst.max(Severity::Warning)) }
    }
}
