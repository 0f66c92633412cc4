//! Which findings are told, and how often.

use std::collections::BTreeMap;
use std::time::Duration;

use observer_core::{ConnectionId, Finding, FindingKind, LossPoint, Severity, Timestamp};

/// Of one subject, an alert that is no worse than the last follows it after so long at the earliest.
pub const QUIET: Duration = Duration::from_secs(60);

/// Subjects that are remembered at most; the oldest are forgotten first, and may be told of again too early.
const MOST_SUBJECTS: usize = 1024;

/// What is done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Somebody is told.
    Tell,
    /// Somebody would be told, were there not so many.
    HoldBack,
    /// It is not worth an alert.
    Nothing,
}

/// What alerts are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// Losses at one place.
    Losses(usize),
    /// Parts of the source that are missing.
    Degraded,
    /// A connection; those of later connections are larger.
    Connection(ConnectionId),
}

/// The last alert about a subject.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: Timestamp,
    severity: Severity,
    /// Whether it is still to be told how it went on.
    is_open: bool,
}

/// Decides by the findings and their times alone: it has no clock.
#[derive(Debug)]
pub struct Policy {
    level: Severity,
    /// Alerts a minute, and in a burst.
    rate: f64,
    /// How many may be told at once by now.
    left: f64,
    /// The time of the newest finding.
    now: Timestamp,
    told: BTreeMap<Subject, Told>,
}

impl Policy {
    /// Findings from `level` on are told, at most `rate` a minute.
    pub fn new(level: Severity, rate: u32) -> Self {
        let rate = f64::from(rate);
        Self { level, rate, left: rate, now: Timestamp::EPOCH, told: BTreeMap::new() }
    }

    /// What is done about the next finding.
    pub fn decide(&mut self, finding: &Finding) -> Decision {
        self.pass_time(finding.at);
        let subject = subject(finding);
        let told = self.told.get_mut(&subject);
        if let (Some(told), true) = (told, is_outcome(&finding.kind)) {
            // Whoever was told of the trouble is told how it went on: that is one more for each, and no flood.
            if std::mem::take(&mut told.is_open) {
                return Decision::Tell;
            }
        }
        let severity = finding.kind.severity();
        if severity < self.level {
            return Decision::Nothing;
        }
        let told = self.told.get(&subject);
        let is_quiet = told.is_some_and(|told| severity <= told.severity && self.now < told.at + QUIET);
        if is_quiet || self.left < 1.0 {
            return Decision::HoldBack;
        }
        self.left -= 1.0;
        self.told.insert(subject, Told { at: self.now, severity, is_open: true });
        if self.told.len() > MOST_SUBJECTS {
            self.forget_oldest();
        }
        Decision::Tell
    }

    fn pass_time(&mut self, at: Timestamp) {
        let minutes = at.since(self.now).as_secs_f64() / 60.0;
        self.left = (self.left + minutes * self.rate).min(self.rate);
        self.now = self.now.max(at);
    }

    fn forget_oldest(&mut self) {
        let oldest = self.told.iter().min_by_key(|(_, told)| told.at).map(|(subject, _)| *subject);
        oldest.and_then(|subject| self.told.remove(&subject));
    }
}

/// Whether it tells how trouble went on.
const fn is_outcome(kind: &FindingKind) -> bool {
    matches!(kind, FindingKind::Recovered { .. } | FindingKind::Verdict(_))
}

fn subject(finding: &Finding) -> Subject {
    match (&finding.kind, finding.connection) {
        (_, Some(connection)) => Subject::Connection(connection),
        (FindingKind::EventsLost { lost_by, .. }, None) => {
            Subject::Losses(LossPoint::ALL.iter().position(|place| place == lost_by).unwrap_or_default())
        }
        (_, None) => Subject::Degraded,
    }
}

#[cfg(test)]
mod tests {
    use observer_core::{TimeRange, Timeout, Verdict, WriteClock};

    use super::*;

    use Decision::{HoldBack, Nothing, Tell};

    const CLOCK: WriteClock = WriteClock {
        started: TimeRange { earliest: Timestamp::EPOCH, latest: Timestamp::EPOCH },
        timeout: Timeout::ASSUMED,
    };
    const CRITICAL: FindingKind = FindingKind::Critical { clock: CLOCK, used: 0.8 };
    const LOST: FindingKind = FindingKind::Lost { clock: CLOCK, seen: false };
    const RECOVERED: FindingKind =
        FindingKind::Recovered { stalled_for: Duration::from_secs(50), used: 0.9, clock: None };

    fn finding(seconds: u64, connection: Option<u64>, kind: FindingKind) -> Finding {
        let at = Timestamp::from_micros(1_714_831_380_000_000) + Duration::from_secs(seconds);
        Finding { connection: connection.map(ConnectionId), ..Finding::of_observation(at, kind) }
    }

    /// What is decided of these findings, one after the other.
    fn decided(policy: &mut Policy, findings: &[(u64, u64, FindingKind)]) -> Vec<Decision> {
        let decide = |(seconds, connection, kind): &(u64, u64, FindingKind)| {
            policy.decide(&finding(*seconds, Some(*connection), kind.clone()))
        };
        findings.iter().map(decide).collect()
    }

    fn verdict() -> FindingKind {
        let verdict: Verdict = serde_json::from_value(serde_json::json!({
            "kind": "net_write_timeout", "confidence": "certain", "sentence": "It was."
        }))
        .unwrap();
        FindingKind::Verdict(Box::new(verdict))
    }

    #[test]
    fn what_is_worse_is_told_at_once_and_what_is_not_after_a_while() {
        let mut policy = Policy::new(Severity::Critical, 60);
        let warning = FindingKind::Warning { clock: CLOCK, used: 0.5 };
        let findings = [
            (0, 1, warning),
            (1, 1, CRITICAL),
            (2, 1, CRITICAL),
            (3, 1, LOST),
            (4, 1, CRITICAL),
            (62, 1, LOST),
            (63, 1, LOST),
        ];
        assert_eq!(
            decided(&mut policy, &findings),
            [Nothing, Tell, HoldBack, Tell, HoldBack, HoldBack, Tell]
        );
    }

    #[test]
    fn how_it_went_on_is_told_once_and_only_of_what_was_told() {
        let mut policy = Policy::new(Severity::Critical, 60);
        let findings = [
            (0, 1, RECOVERED),
            (1, 1, CRITICAL),
            (2, 1, RECOVERED),
            // Held back, and so its recovery is no news.
            (3, 1, CRITICAL),
            (4, 1, RECOVERED),
            (5, 1, LOST),
            (6, 1, verdict()),
            (7, 2, verdict()),
        ];
        assert_eq!(
            decided(&mut policy, &findings),
            [Nothing, Tell, Tell, HoldBack, Nothing, Tell, Tell, Nothing]
        );
    }

    #[test]
    fn all_together_have_a_rate_that_recoveries_do_not_use_up() {
        let mut policy = Policy::new(Severity::Lost, 2);
        let findings = [
            (0, 1, LOST),
            (0, 2, LOST),
            (0, 3, LOST),
            (0, 1, RECOVERED),
            (29, 4, LOST),
            (30, 5, LOST),
            (30, 6, LOST),
            (600, 7, LOST),
            (600, 8, LOST),
            (600, 9, LOST),
        ];
        assert_eq!(
            decided(&mut policy, &findings),
            [Tell, Tell, HoldBack, Tell, HoldBack, Tell, HoldBack, Tell, Tell, HoldBack]
        );
    }

    #[test]
    fn losses_at_different_places_are_different_subjects() {
        let mut policy = Policy::new(Severity::Lost, 60);
        let lost = |lost_by| finding(0, None, FindingKind::EventsLost { count: 1, total: 1, lost_by });
        assert_eq!(policy.decide(&lost(LossPoint::RingBuffer)), Tell);
        assert_eq!(policy.decide(&lost(LossPoint::RingBuffer)), HoldBack);
        assert_eq!(policy.decide(&lost(LossPoint::Log)), Tell);
    }

    #[test]
    fn what_is_remembered_has_a_limit() {
        let mut policy = Policy::new(Severity::Lost, u32::MAX);
        for connection in 0..3 * MOST_SUBJECTS as u64 {
            assert_eq!(policy.decide(&finding(connection, Some(connection), LOST)), Tell);
        }
        assert_eq!(policy.told.len(), MOST_SUBJECTS);
        assert!(policy.told.contains_key(&Subject::Connection(ConnectionId(3 * MOST_SUBJECTS as u64 - 1))));
    }
}
