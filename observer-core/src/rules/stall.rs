//! The phases of a stall and their deadlines.

use std::time::Duration;

use crate::clock::WriteClock;
use crate::connection::{Connection, GRACE, Phase, Progress, Stall};
use crate::finding::FindingKind;
use crate::flow::End;
use crate::rules::Context;
use crate::rules::wait::{Wait, held};
use crate::time::{TimeRange, Timestamp};

/// How far apart two estimates of the same moment can be: the kernel tells the age of the last segment in
/// milliseconds, made from its ticks, which last up to 10 ms.
const JITTER: Duration = Duration::from_millis(50);

/// Inputs.
impl Connection {
    /// The window closed at some moment of this range; the closing was seen, or found out later.
    pub(super) fn closes(&mut self, closed: TimeRange, seen: bool) {
        match self.stall.as_deref_mut() {
            _ if self.phase >= Phase::Lost => {}
            Some(stall) => stall.closes_again(closed, seen),
            None => {
                let mut stall = Stall::new(closed, seen);
                // A later closing may be told of later: that says nothing of the time after this one.
                let own = self.history.as_ref().and_then(|history| history.wait_ended);
                let own = own.map(|ended| ended.min(closed.earliest));
                if let Some(idle_at) = self.shown_not_to_wait().max(own) {
                    stall.curve.not_waiting_at(idle_at);
                }
                self.stall = Some(Box::new(stall));
            }
        }
    }

    /// The window opened. That alone does not end the server's wait.
    pub(super) fn opens(&mut self) {
        let Some(stall) = self.stall.as_deref_mut() else { return };
        if self.phase < Phase::Lost && !stall.announced {
            (stall.settled, stall.clock) = (false, None);
            self.phase = Phase::Flowing;
        }
    }

    /// The client sends its next command, or the server answers it. With the window open, that is after the result
    /// before it, so the server has written all of that.
    pub(super) fn commanded(&mut self, at: Timestamp) {
        if let Some(stall) = self.stall.as_deref_mut().filter(|_| self.window.closed_since.is_none()) {
            stall.curve.not_waiting_at(at);
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
        } else if (since.acknowledged > 0 || since.received > held(cx.config))
            && self.window.closed_since.is_none()
        {
            self.recover(at, at, cx);
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
            self.recover(at, at, cx);
        }
    }

    /// An end closes while the window is open again, or closed for a moment, and it is not known yet that the server
    /// could write. A server whose time was not up has written everything, and so it has if its client is the first
    /// to leave, or said that it would.
    pub(super) fn leaves(&mut self, at: Timestamp, by: End, cx: &mut Context<'_>) {
        let is_closed = self.window.closed_since.is_some_and(|since| !self.is_fresh_closing(since, at, cx));
        if self.phase >= Phase::Lost || is_closed || self.stall.is_none() {
            return;
        }
        let in_time = self.abort().is_none_or(|abort| at < abort.earliest);
        let asked_to = self.history.as_ref().is_some_and(|history| history.quit);
        if in_time || asked_to || by == End::Client {
            self.recover(at, self.window.changed_at, cx);
        }
    }

    /// Whether the window, closed since `since`, is too young for a stall, and the wait that was told is over.
    fn is_fresh_closing(&self, since: Timestamp, at: Timestamp, cx: &Context<'_>) -> bool {
        let is_later = |stall: &Stall| stall.clock.is_some_and(|clock| is_untold(&clock, stall));
        at < since + cx.config.debounce && self.stall.as_deref().is_some_and(is_later)
    }

    /// The stall is over, which shows at `at`; the server has waited until `until` at most.
    fn recover(&mut self, at: Timestamp, until: Timestamp, cx: &mut Context<'_>) {
        self.phase = Phase::Flowing;
        self.drain = None;
        let Some(stall) = self.stall.take().filter(|stall| stall.announced) else { return };
        let stalled_for = until.since(stall.began);
        let most = stall.used_until(until);
        let (used, clock) = (most.map_or(0.0, |most| most.share), most.map(|most| most.clock));
        self.find(at, FindingKind::Recovered { stalled_for, used, clock }, cx);
    }

    /// Judges the stall, if there is one, by what is known at `at`.
    pub(crate) fn judge(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        if self.phase >= Phase::Lost {
            return;
        }
        let Some(mut stall) = self.stall.take() else { return };
        // What the session sets meanwhile is for later waits.
        let timeout = match self.running_wait() {
            Some(wait) => self.timeout_of(wait),
            None => stall.clock.map_or(self.timeout, |clock| clock.timeout),
        };
        let wait = self.server_wait(&stall, at, cx.config);
        let clock = match wait {
            Wait::Since(started) => {
                stall.open_ended = stall.curve.is_open_ended() && started.latest >= at;
                Some(WriteClock { started, timeout })
            }
            Wait::Undecided { .. } => stall.clock,
            Wait::None(then) => {
                stall.curve.not_waiting_at(then);
                None
            }
        };
        let Some(closed_since) = self.window.closed_since else {
            // Until it is over, the clock is that of before.
            let over = matches!(wait, Wait::None(_));
            if stall.announced && !over {
                stall.waits_by(clock);
            }
            self.stall = Some(stall);
            if over {
                self.recover(at, self.window.changed_at, cx);
            }
            return;
        };
        // A client that opens its window for moments does not read enough for all that.
        let is_due = clock.is_some_and(|clock| clock.used_at(cx.config.warning_share) <= at);
        stall.settled |= stall.probes.count() > 0 || at >= closed_since + cx.config.debounce || is_due;
        if stall.settled {
            stall.waits_by(clock);
            self.phase = if clock.is_some() { self.phase.max(Phase::Stalled) } else { Phase::Stalled };
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
            let queued = self.queued();
            self.find(at, FindingKind::Lost { clock, seen: true }, cx);
            if let Some(history) = self.history.as_deref_mut() {
                history.queued = queued;
            }
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
        let stall = self.stall.as_deref()?;
        let ends_at = self.wait_ends_at(stall);
        let Some(closed_since) = self.window.closed_since else { return ends_at };
        if !stall.settled {
            return Some(closed_since + cx.config.debounce);
        }
        let Some(clock) = &stall.clock else { return self.server_wait_decided_at(stall, cx.config) };
        let milestones = self.milestones(clock, cx).into_iter();
        let next = milestones.filter(|(phase, _)| *phase > self.phase).filter_map(|(_, at)| at).min();
        next.into_iter().chain(ends_at).min()
    }

    /// When each phase of a clock begins.
    fn milestones(&self, clock: &WriteClock, cx: &Context<'_>) -> [(Phase, Option<Timestamp>); 3] {
        // A server that would show it has not given up before it shows, and an end that moves on never comes.
        let moves_on = self.stall.as_deref().is_some_and(|stall| stall.open_ended);
        let lost =
            (!moves_on && !self.abort_shows()).then(|| clock.abort().latest.max(self.answer_stands_until()));
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

    /// Tells that the client stands still, if that was not told.
    pub(super) fn announce(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        let (queued, unread) = (self.fresh_queued(), self.unread());
        let Some(stall) = self.stall.as_deref_mut() else { return };
        let Some(clock) = stall.clock.filter(|_| !stall.announced) else { return };
        stall.announced = true;
        stall.told_of = clock.started.latest;
        let since = stall.closed.earliest;
        self.find(at, FindingKind::Stalled { since, clock, queued, unread }, cx);
    }

    /// Goes to the phase that the clock has reached by `at`, and tells the last one of those passed. It goes back, in
    /// silence, only for a wait that is certainly another one.
    fn escalate(&mut self, at: Timestamp, cx: &mut Context<'_>) {
        let Some(clock) = self.clock().copied().filter(|_| !cx.waits) else { return };
        let milestones = self.milestones(&clock, cx).into_iter();
        let reached = milestones.filter(|(_, begins)| begins.is_some_and(|begins| begins <= at));
        let reached = reached.map(|(phase, _)| phase).max().unwrap_or(Phase::Stalled);
        let Some(stall) = self.stall.as_deref_mut() else { return };
        if reached <= self.phase {
            if is_untold(&clock, stall) {
                self.phase = reached;
            }
            return;
        }
        stall.told_of = clock.started.latest;
        self.phase = reached;
        let used = clock.used(at);
        let kind = match reached {
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

/// Whether this wait is certainly another one than that which was told of.
fn is_untold(clock: &WriteClock, stall: &Stall) -> bool {
    clock.started.earliest > stall.told_of + JITTER
}
