//! What every fuzz target asks of the judgement, whatever was read.

use std::time::Duration;

use observer_core::{
    Config, Event, EventKind, Finding, FindingKind, LossPoint, SourceEvent, Timestamp, Tracker, Verdict,
    headline,
};

/// Longer than any timeout that can be waited for.
const LATER: Duration = Duration::from_secs(366 * 24 * 3600);

/// A connection has no more deadlines than these when nothing happens any more: the phases of a stall, and its end.
const DEADLINES: usize = 16;

/// After so many events everything is looked at.
const LOOK: usize = 64;

/// A tracker that is watched.
pub struct Judge {
    tracker: Tracker,
    now: Timestamp,
    events: usize,
    /// What the source said it has lost.
    told_lost: [u64; LossPoint::ALL.len()],
}

impl Judge {
    /// One that knows nothing yet.
    pub fn new(config: Config) -> Self {
        Self {
            tracker: Tracker::new(config),
            now: Timestamp::EPOCH,
            events: 0,
            told_lost: Default::default(),
        }
    }

    /// Hands over an event.
    ///
    /// # Panics
    ///
    /// When what the source said of itself is not found at once, or anything is wrong that [`look`](Self::look) sees.
    pub fn take(&mut self, event: &Event) {
        self.now = self.now.max(event.at);
        self.tracker.handle_event(event);
        let findings = self.findings();
        if let EventKind::Source(said) = &event.kind {
            self.heard(said, &findings);
        }
        self.events += 1;
        if self.events.is_multiple_of(LOOK) {
            self.look();
        }
    }

    /// Lets all deadlines pass; how many observations the source said were lost.
    ///
    /// # Panics
    ///
    /// When there is no end of deadlines, or anything is wrong that [`look`](Self::look) sees.
    pub fn finish(mut self) -> u64 {
        self.look();
        let end = self.now + LATER;
        for _ in 0..DEADLINES * self.tracker.len() {
            let Some(due) = self.tracker.poll_timeout().filter(|due| *due <= end) else { break };
            self.tracker.handle_timeout(due);
        }
        let due = self.tracker.poll_timeout();
        assert!(due.is_none_or(|due| due > end), "after so many deadlines there still is one at {due:?}");
        self.tracker.handle_timeout(end);
        self.now = end;
        self.findings();
        self.look();
        self.told_lost.into_iter().fold(0, u64::saturating_add)
    }

    /// What was found since the last time: each can be shown in a line, and logged in one.
    fn findings(&mut self) -> Vec<Finding> {
        let findings: Vec<Finding> = std::iter::from_fn(|| self.tracker.poll()).collect();
        for finding in &findings {
            assert_line(&finding.sentence());
            let json = serde_json::to_string(finding).expect("a finding can be logged");
            assert!(!json.contains('\n'), "{json:?} is no line of a log");
        }
        findings
    }

    /// What a source says of itself is passed on, and what it lost is counted.
    fn heard(&mut self, said: &SourceEvent, findings: &[Finding]) {
        let is_told = |is_it: fn(&FindingKind) -> bool| findings.iter().any(|finding| is_it(&finding.kind));
        match said {
            SourceEvent::EventsLost { count, lost_by } => {
                let told = &mut self.told_lost[*lost_by as usize];
                *told = told.saturating_add(*count);
                assert!(is_told(|kind| matches!(kind, FindingKind::EventsLost { .. })), "a loss was hidden");
            }
            SourceEvent::Degraded { .. } => {
                assert!(is_told(|kind| matches!(kind, FindingKind::Degraded { .. })), "a gap was hidden");
            }
            SourceEvent::SocketsPolled { .. } | SourceEvent::TimePassed | SourceEvent::Resumed { .. } => {}
        }
    }

    /// Asks for everything that is shown of the present state.
    fn look(&self) {
        for point in LossPoint::ALL {
            let (counted, told) = (self.tracker.events_lost_by(point), self.told_lost[point as usize]);
            assert!(counted >= told, "{told} were lost by {point:?}, {counted} are counted");
        }
        assert!(self.tracker.len() <= self.tracker.config().max_connections.max(1), "there is no bound");
        assert_line(&headline(&self.tracker, self.now).text);
        for connection in self.tracker.connections() {
            assert_line(connection.state_word());
            assert_verdict(&connection.verdict(self.now, self.tracker.config()));
            let abort = connection.abort();
            assert!(abort.is_none_or(|abort| abort.earliest <= abort.latest), "{abort:?}");
        }
    }
}

fn assert_verdict(verdict: &Verdict) {
    assert_line(&verdict.sentence);
    let Verdict { evidence, ruled_out, missing, advice, .. } = verdict;
    evidence.iter().chain(missing).chain(advice).for_each(|text| assert_line(text));
    ruled_out.iter().for_each(|cause| assert_line(&cause.because));
}

/// A line of text that does nothing to a terminal.
fn assert_line(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
}
