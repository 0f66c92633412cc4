//! What the server says when it is asked.
//!
//! A session that is still in the process list has not been given up; one that is no longer there has. So while the
//! server answers, its deadline alone decides nothing.

use std::time::Duration;

use crate::clock::TimeoutSource;
use crate::connection::{Connection, Gone, Phase};
use crate::finding::FindingKind;
use crate::rules::Context;
use crate::session::ServerSession;
use crate::time::Timestamp;

/// So long after the server has told of a session its next answer is waited for: it is asked every second while a client
/// stands still, and given two for the answer. After that the deadline has to do again.
const STANDS: Duration = Duration::from_secs(3);

impl Connection {
    /// The server has the session in its process list, at `at` or later.
    pub(super) fn told(&mut self, at: Timestamp, told: &ServerSession, cx: &mut Context<'_>) {
        let is_older = self.told_by_server().is_some_and(|(known, _)| *known > at);
        if is_older || self.phase >= Phase::ServerClosed || !self.is_thread(told.thread_id) {
            return;
        }
        self.session_mut().told(at, told.clone());
        self.set_timeout(cx.config);
        let timeout = self.timeout;
        let Some(stall) = self.stall.as_deref_mut().filter(|stall| !stall.abort_seen) else { return };
        stall.all_written = told.is_idle().then_some(at);
        let mut has_time = false;
        if let Some(clock) = &mut stall.clock {
            let before = clock.abort().latest;
            // No SET can come between: what the session has now is what its wait began with.
            if timeout.source == TimeoutSource::Server {
                clock.timeout = timeout;
            }
            has_time = clock.abort().latest > before || at > before;
        }
        if self.phase == Phase::Lost && (has_time || told.is_idle()) {
            // It will be told anew how it stands, as what was told last is not so.
            stall.announced = told.is_idle();
            self.server_lives(at, cx);
        }
    }

    /// The server no longer has the session that it had when it was asked last; noticed at `at`.
    pub(super) fn session_gone(&mut self, at: Timestamp, thread_id: u64, cx: &mut Context<'_>) {
        let Some((there, told)) = self.told_by_server() else { return };
        let there = *there;
        if told.thread_id != thread_id || self.phase >= Phase::ServerClosed || self.is_abort_seen() {
            return;
        }
        let Some(clock) = self.clock().copied() else { return };
        self.history_mut().gone = Some(Gone { there, at });
        let was_lost = self.phase == Phase::Lost;
        // Between two answers, the deadline is the best guess.
        let gave_up = clock.abort().earliest.max(there).min(at);
        self.server_gave_up(gave_up, cx);
        if was_lost {
            self.find(gave_up, FindingKind::Lost { clock, seen: true }, cx);
        }
    }

    /// Up to when the deadline alone does not say that the server has given up, as it has said lately that it has not.
    pub(super) fn answer_stands_until(&self) -> Timestamp {
        self.told_by_server().map_or(Timestamp::EPOCH, |(at, _)| *at + STANDS)
    }

    /// Whether this is the connection's thread id, as far as that is known: the greeting has the lower half of it.
    fn is_thread(&self, thread_id: u64) -> bool {
        self.greeting()
            .is_none_or(|greeting| u64::from(greeting.thread_id) == thread_id & u64::from(u32::MAX))
    }
}
