//! Plays a story and tells where it does not end as it says.

use serde_json::{Map, Value};

use observer_core::{EventKind, Finding, SourceEvent, Timestamp, Tracker, headline};

use super::Story;
use super::matching::{connection, difference, finding, show};

impl Story {
    /// What is not as it says; empty when all is well.
    pub(crate) fn check(&self) -> Vec<String> {
        let mut tracker = Tracker::new(self.config.clone());
        let (findings, mut failures) = self.play(&mut tracker, false);
        let mut connections: Vec<_> = tracker.connections().collect();
        connections.sort_by_key(|connection| (connection.first_seen(), connection.id()));
        failures.extend(compare(
            "finding",
            &self.findings,
            &findings.iter().map(finding).collect::<Vec<_>>(),
        ));
        failures.extend(compare(
            "connection",
            &self.connections,
            &connections
                .into_iter()
                .map(|known| connection(known, self.end, &self.config))
                .collect::<Vec<_>>(),
        ));
        let (with_timers, _) = self.play(&mut Tracker::new(self.config.clone()), true);
        if with_timers != findings {
            failures.push("with timers it ends differently than in a replay".to_owned());
        }
        failures
    }

    /// All findings, and what the headlines do not say. With `timers` every deadline is met when it falls due, as
    /// live; without them the events carry time on, as in a replay.
    fn play(&self, tracker: &mut Tracker, timers: bool) -> (Vec<Finding>, Vec<String>) {
        let (mut findings, mut failures) = (Vec::new(), Vec::new());
        let mut headlines = self.headlines.iter().peekable();
        for event in &self.events {
            while let Some((at, text)) = headlines.next_if(|(at, _)| *at < event.at) {
                failures.extend(check_headline(tracker, *at, text));
            }
            // An observer that does not run has no timers.
            if timers && !matches!(event.kind, EventKind::Source(SourceEvent::Resumed { .. })) {
                let before = event.at - std::time::Duration::from_micros(1);
                while let Some(due) = tracker.poll_timeout().filter(|due| *due <= before) {
                    tracker.handle_timeout(due);
                }
            }
            tracker.handle_event(event);
            findings.extend(std::iter::from_fn(|| tracker.poll()));
        }
        for (at, text) in headlines {
            failures.extend(check_headline(tracker, *at, text));
        }
        tracker.handle_timeout(self.end);
        findings.extend(std::iter::from_fn(|| tracker.poll()));
        (findings, failures)
    }
}

fn check_headline(tracker: &mut Tracker, at: Timestamp, text: &str) -> Option<String> {
    tracker.handle_timeout(at);
    let actual = headline(tracker, at).text;
    (actual != text).then(|| format!("headline: expected {text:?}, got {actual:?}"))
}

fn compare(what: &str, expected: &[Map<String, Value>], actual: &[Value]) -> Vec<String> {
    let mut failures = Vec::new();
    for (number, actual) in actual.iter().enumerate() {
        match expected.get(number).map(|expected| difference(expected, actual)) {
            Some(None) => {}
            Some(Some(difference)) => failures.push(format!("{what} {number}: {difference}")),
            None => failures.push(format!("{what} {number} was not expected: {}", show(actual))),
        }
    }
    for missing in expected.iter().skip(actual.len()) {
        failures.push(format!("{what} did not come: {}", show(&Value::Object(missing.clone()))));
    }
    failures
}
