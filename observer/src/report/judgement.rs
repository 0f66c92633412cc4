//! The judgement of a recording, with an account of every connection that had trouble.

use std::collections::HashSet;

use observer_core::{Config, Event, Flow, Timestamp, Tracker};

use super::Report;
use super::accounts::Accounts;

/// Runs the judgement and keeps the accounts.
#[derive(Debug)]
pub(super) struct Judgement {
    tracker: Tracker,
    accounts: Accounts,
    /// When the recording began.
    began: Option<Timestamp>,
    now: Timestamp,
}

impl Judgement {
    /// A judgement of nothing yet. With `all`, connections without trouble have an account too, and those `open_before`
    /// have one in any case.
    pub(super) fn new(config: Config, all: bool, open_before: HashSet<Flow>) -> Self {
        let mut accounts = Accounts::of_recording(config.clone(), all);
        accounts.go_on(open_before);
        Self { tracker: Tracker::new(config), accounts, began: None, now: Timestamp::EPOCH }
    }

    /// Takes an event.
    pub(super) fn event(&mut self, event: &Event) {
        self.reach(event.at);
        let about = self.tracker.handle_event(event);
        self.accounts.event(event, about, &self.tracker);
        self.findings();
    }

    /// The recording goes on to this time at least.
    pub(super) fn reach(&mut self, at: Timestamp) {
        self.began.get_or_insert(at);
        self.now = self.now.max(at);
    }

    /// The recording has ended: what is told of it, but for the files it was in.
    pub(super) fn finish(mut self) -> Report {
        self.tracker.handle_timeout(self.now);
        self.tracker.finish();
        self.findings();
        self.accounts.finish(self.began.unwrap_or(self.now), self.now, &self.tracker)
    }

    fn findings(&mut self) {
        while let Some(finding) = self.tracker.poll() {
            self.reach(finding.at);
            self.accounts.finding(&finding, &self.tracker);
        }
    }
}
