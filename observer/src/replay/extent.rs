//! How long a recording is, and where something is found in it.

use std::sync::Arc;

use observer_core::{Config, FindingKind, Severity, Timestamp, Tracker};

use crate::progress::Progress;
use crate::source::recording::{Moment, Recording};

/// Findings that are remembered by their time, the first ones.
const FINDINGS: usize = 100_000;

/// What is known of a whole recording before it is played.
#[derive(Clone, Debug)]
pub struct Extent {
    /// Its first moment.
    pub start: Timestamp,
    /// Its last moment.
    pub end: Timestamp,
    /// When something was found, in the order of time.
    pub findings: Arc<[(Timestamp, Severity)]>,
}

impl Extent {
    /// Reads a recording to its end.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or there is nothing in it to be played.
    pub fn of(mut recording: Recording, config: &Config) -> anyhow::Result<Self> {
        let mut progress = Progress::begin();
        let mut tracker = Tracker::new(config.clone());
        let mut findings = Vec::new();
        let mut extent: Option<(Timestamp, Timestamp)> = None;
        let mut take = |tracker: &mut Tracker| {
            while let Some(finding) = tracker.poll() {
                let of_the_source = matches!(finding.kind, FindingKind::Degraded { .. });
                if !of_the_source && findings.len() < FINDINGS {
                    findings.push((finding.at, finding.kind.severity()));
                }
            }
        };
        while let Some(moment) = recording.next() {
            let at = match moment? {
                Moment::Event(event) => {
                    tracker.handle_event(&event);
                    take(&mut tracker);
                    event.at
                }
                Moment::Reached(at) => at,
            };
            let (start, end) = extent.unwrap_or((at, at));
            extent = Some((start.min(at), end.max(at)));
            progress.step(|| recording.how_far("reading"));
        }
        let Some((start, end)) = extent else {
            anyhow::bail!("reading {}: there is nothing in it to be played", recording.name())
        };
        tracker.handle_timeout(end);
        tracker.finish();
        take(&mut tracker);
        findings.sort_by_key(|(at, _)| *at);
        Ok(Self { start, end, findings: findings.into() })
    }
}
