//! What the server's own wait says. Where it is seen, nothing else is asked: it is the clock itself.

use crate::clock::{Timeout, TimeoutSource, WriteClock};
use crate::connection::{BeforeWrite, Connection, OwnWait, Phase, Stall};
use crate::flow::End;
use crate::rules::Context;
use crate::time::{TimeRange, Timestamp};

impl Connection {
    /// The server waits.
    pub(super) fn server_waits(&mut self, wait: OwnWait) {
        if self.is_abort_seen() || self.phase >= Phase::ServerClosed || self.end(End::Server).gone {
            return;
        }
        self.timeout = self.timeout_of(&wait);
        self.own_wait = Some(Box::new(wait));
        if self.phase == Phase::Lost {
            // Its deadline was guessed, and had not passed.
            self.phase = Phase::Stalled;
        }
    }

    /// The server's wait is over.
    pub(super) fn server_wait_ends(&mut self, at: Timestamp, timed_out: bool, cx: &mut Context<'_>) {
        let Some(mut wait) = self.own_wait.take() else { return };
        if timed_out {
            wait.timed_out = Some(at);
            if let Some(stall) = self.stall.as_deref_mut() {
                let timeout = Timeout { duration: wait.timeout, source: self.timeout.source };
                // Where its beginning is not known its end tells.
                let begun = TimeRange::at(at - wait.timeout);
                stall.clock = Some(WriteClock { started: wait.since.unwrap_or(begun), timeout });
            }
            self.own_wait = Some(wait);
            // It may have opened its window meanwhile, and not told yet that it stood still.
            self.announce(at, cx);
            self.server_gave_up(at, cx);
        } else {
            if let Some(stall) = self.stall.as_deref_mut() {
                stall.wait_ends(at);
            }
            if let Some(history) = self.history.as_deref_mut() {
                history.wait_ended = history.wait_ended.max(Some(at));
            }
        }
    }

    /// The server has written since `before`, so what was told before that is over, even if its end was lost.
    pub(super) fn server_has_written(&mut self, before: Option<&BeforeWrite>) {
        let is_over = |wait: &OwnWait| before.is_some_and(|before| wait.told_at <= before.at);
        if self.own_wait.as_deref().is_some_and(|wait| wait.timed_out.is_none() && is_over(wait)) {
            self.own_wait = None;
        }
    }

    /// The server's own wait, while it runs.
    pub(super) fn running_wait(&self) -> Option<&OwnWait> {
        self.own_wait.as_deref().filter(|wait| wait.timed_out.is_none())
    }

    /// Its timeout, and how it is known: a session that was seen to set just this one is the better reason.
    pub(super) fn timeout_of(&self, wait: &OwnWait) -> Timeout {
        let is_set = (self.timeout.source, self.timeout.duration) == (TimeoutSource::Session, wait.timeout);
        let source = if is_set { TimeoutSource::Session } else { TimeoutSource::Wait };
        Timeout { duration: wait.timeout, source }
    }

    /// When a wait began that does not tell it itself: after the window closed, or nearly so, and before it was told.
    pub(super) fn begun_before_told(wait: &OwnWait, stall: &Stall) -> TimeRange {
        TimeRange { earliest: stall.closed.earliest.min(wait.told_at), latest: wait.told_at }
    }
}
