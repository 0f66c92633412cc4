//! The phases of a stall and their deadlines.

use std::time::Duration;

use crate::clock::WriteClock;
use crate::connection::{Connection, Greeting, Phase, Progress, Stall, Told};
use crate::finding::FindingKind;
use crate::rules::Context;
use crate::rules::wait::Wait;
use crate::time::Timestamp;

/// More than a server's kernel holds for one connection: `tcp_wmem` has a default limit of 4 MiB, and hosts
/// tuned for long fat networks rarely go beyond 64 MiB. A server that sends more has not given up.
const MOST_A_SERVER_HOLDS: u64 = 64 * 1024 * 1024;

/// A server may close this long after its deadline: its `poll` has some slack, and it rolls its statement back
/// first. Until then its socket acknowledges what comes in.
const GRACE: Duration = Duration::from_secs(1);

/// Inputs.
impl Connection {
    /// The window closed.
    pub(super) fn stall_begins(&mut self, stall: Stall) {
        if self.phase < Phase::Lost {
            self.stall = Some(Box::new(stall));
        }
    }

    /// The window opened.
    pub(super) fn stall_ends(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        if self.phase < Phase::Lost {
            self.recover(at, cx);
        }
    }

    /// Both ends have come this far. A server that was lost by its deadline alone was not lost after all if it goes
    /// on: if it sends more than it can have held, or acknowledges what the client sent after the loss. (The kernel
    /// answers data for a socket that was closed with RST: `tcp_rcv_state_process`, net/ipv4/tcp_input.c.)
    pub(super) fn progress(&mut self, at: Timestamp, progress: Progress, cx: &mut Context<'_>) {
        let is_lost = self.phase == Phase::Lost;
        let Some(stall) = self.stall.as_deref_mut().filter(|stall| !stall.abort_seen) else { return };
        let known = stall.progress.get_or_insert(progress);
        let Some(since) = progress.since(*known) else { return };
        let deadline = stall.clock.map(|clock| clock.abort().latest);
        if !is_lost || deadline.is_some_and(|deadline| at <= deadline + GRACE) {
            *known = progress;
        } else if (since.acknowledged > 0 || since.received > MOST_A_SERVER_HOLDS)
            && self.window.closed_since.is_none()
        {
            self.recover(at, cx);
        }
    }

    /// The server's socket is open although the connection was called lost.
    pub(super) fn server_lives(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        if self.phase != Phase::Lost {
            return;
        }
        if self.window.closed_since.is_some() {
            // The server can be seen now, so its deadline is no longer guessed: it is at most critical.
            self.phase = Phase::Stalled;
        } else {
            self.recover(at, cx);
        }
    }

    fn recover(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        self.phase = Phase::Flowing;
        self.drain = None;
        let Some(stall) = self.stall.take().filter(|stall| stall.announced) else { return };
        let stalled_for = at.since(stall.closed.earliest);
        let used = stall.clock.map_or(0.0, |clock| clock.used(at));
        self.find(at, FindingKind::Recovered { stalled_for, used }, cx);
    }

    /// Judges the stall, if there is one, by what is known at `at`.
    pub(crate) fn judge(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        if self.phase >= Phase::Lost || self.window.closed_since.is_none() {
            return;
        }
        let Some(mut stall) = self.stall.take() else { return };
        // What the session sets meanwhile is for later waits.
        let timeout = stall.clock.map_or(self.timeout, |clock| clock.timeout);
        stall.settled |= stall.probes.count() > 0 || at >= stall.closed.earliest + cx.config.debounce;
        let wait = self.server_wait(&stall, at, cx.config);
        if stall.settled {
            let clock = match wait {
                Wait::Since(started) => Some(WriteClock { started, timeout }),
                Wait::None | Wait::Undecided { .. } => None,
            };
            let same = stall.clock.zip(clock).and_then(|(old, new)| old.narrowed_by(new));
            stall.clock = same.or(clock);
            if same.is_none() {
                self.phase = Phase::Stalled;
            }
        }
        self.stall = Some(stall);
        self.announce(at, cx);
        self.escalate(at, cx);
    }

    /// The server's socket or its RST shows that it has given up while its client stood still.
    pub(super) fn server_gave_up(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        let Some(stall) = self.stall.as_deref_mut() else { return };
        let Some(clock) = stall.clock else { return };
        stall.abort_seen = true;
        if self.phase < Phase::Lost {
            self.phase = Phase::Lost;
            self.find(at, FindingKind::Lost { clock, seen: true }, cx);
        }
    }
}

/// Deadlines.
impl Connection {
    /// When something will change by itself.
    pub(crate) fn deadline(&self, cx: &Context<'_>) -> Option<Timestamp> {
        match self.phase {
            Phase::Closed => Some(self.last_seen + cx.config.keep_ended),
            // Nobody will say when it is gone.
            Phase::ServerClosed if !self.client.is_alive() && !self.server.is_alive() => {
                Some(self.last_seen + cx.config.keep_ended)
            }
            Phase::ServerClosed | Phase::Lost => None,
            _ => self.stall_deadline(cx),
        }
    }

    fn stall_deadline(&self, cx: &Context<'_>) -> Option<Timestamp> {
        self.window.closed_since?;
        let stall = self.stall.as_deref()?;
        if !stall.settled {
            return Some(stall.closed.earliest + cx.config.debounce);
        }
        let Some(clock) = &stall.clock else {
            return match self.server_wait(stall, stall.closed.earliest, cx.config) {
                Wait::Undecided { until } => until,
                _ => None,
            };
        };
        self.milestones(clock, cx)
            .into_iter()
            .filter(|(phase, _)| *phase > self.phase)
            .filter_map(|(_, at)| at)
            .min()
    }

    /// When each phase of a clock begins.
    fn milestones(&self, clock: &WriteClock, cx: &Context<'_>) -> [(Phase, Option<Timestamp>); 3] {
        // A server whose socket can be seen has not given up before that socket shows it, nor has one that resets
        // before its RST is seen.
        let resets = self.greeting().is_some_and(Greeting::resets_at_abort);
        let would_show = self.server.state.is_some() || (resets && self.window.told == Told::BySegments);
        let lost = (!would_show).then(|| clock.abort().latest);
        [
            (Phase::Warning, Some(clock.used_at(cx.config.warning_share))),
            (Phase::Critical, Some(clock.used_at(cx.config.critical_share))),
            (Phase::Lost, lost),
        ]
    }

    /// The deadline `at` has come. Whether the connection is to be dropped.
    #[must_use]
    pub(crate) fn deadline_passed(&mut self, at: Timestamp, cx: &mut Context<'_>) -> bool {
        match self.phase {
            Phase::Closed => return true,
            Phase::ServerClosed => self.closed(at, cx),
            _ => self.judge(at, cx),
        }
        false
    }

    fn announce(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        let (queued, unread) = (self.fresh_queued(), self.unread());
        let Some(stall) = self.stall.as_deref_mut() else { return };
        let Some(clock) = stall.clock.filter(|_| !stall.announced) else { return };
        stall.announced = true;
        let since = stall.closed.earliest;
        self.find(at, FindingKind::Stalled { since, clock, queued, unread }, cx);
    }

    /// Goes to the phase that the clock has reached by `at`, and tells the last one of those passed.
    fn escalate(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        let Some(clock) = self.clock().copied() else { return };
        let reached = self
            .milestones(&clock, cx)
            .into_iter()
            .filter_map(|(phase, begins)| begins.filter(|begins| *begins <= at).map(|_| phase))
            .max();
        let Some(phase) = reached.filter(|phase| *phase > self.phase) else { return };
        self.phase = phase;
        let used = clock.used(at);
        let kind = match phase {
            Phase::Lost => FindingKind::Lost { clock, seen: false },
            Phase::Critical => FindingKind::Critical { clock, used },
            _ => FindingKind::Warning { clock, used },
        };
        self.find(at, kind, cx);
    }

    /// What waits at the server, if that was read since the window closed.
    fn fresh_queued(&self) -> Option<u64> {
        let (at, sample) = self.server.socket.as_deref()?;
        (*at >= self.window.closed_since?).then_some(u64::from(sample.send_queue))
    }
}
