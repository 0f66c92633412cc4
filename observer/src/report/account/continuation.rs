//! One connection in two observations, the one after the other: the observer was restarted, or a capture was begun anew.

use observer_core::{Hidden, Seconds, Timestamp, Verdict, VerdictKind};
use serde::Serialize;

use super::{Account, Mark, STALLS, Stall, Told};
use crate::report::words::time_of_day;

/// A time in which nothing observed the connection: one observation had ended, and the next not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(in crate::report) struct Gap {
    /// When the one ended.
    pub(in crate::report) from: Timestamp,
    /// When the next began.
    pub(in crate::report) to: Timestamp,
}

/// Gaps kept of one connection, the last ones.
const GAPS: usize = 32;

impl Account {
    /// Whether `later` is the same connection, in an observation that began when that of this one had ended: it has the
    /// same addresses and was seen at the same place, neither closed in the one nor opened in the other.
    pub(in crate::report) fn goes_on_as(&self, later: &Self) -> bool {
        let (Some(before), Some(after)) = (self.observed, later.observed) else { return false };
        let same_place = self.seen_at.iter().any(|seen_at| later.seen_at.contains(seen_at));
        let cookie_of = |vantage| later.cookies.iter().find(|(other, _)| *other == vantage);
        let same_socket = self
            .cookies
            .iter()
            .all(|(vantage, cookie)| cookie_of(*vantage).is_none_or(|(_, other)| other == cookie));
        self.flow == later.flow
            && before.latest <= after.earliest
            && self.closed_at.is_none()
            && later.opened_at.is_none()
            && same_place
            && same_socket
    }

    /// One that read on was not lost: what was thought so is not told.
    pub(super) fn take_losses_back(&mut self, verdict: VerdictKind) {
        if verdict == VerdictKind::Recovered {
            self.marks.retain(|mark, _| !matches!(mark, Mark::Deadline | Mark::GaveUp));
        }
    }

    /// Tells on with what a later observation has told of it.
    pub(in crate::report) fn go_on(&mut self, later: Self) {
        let gap = self.gap_before(&later);
        let verdict_stays = stays(self.verdict.as_ref(), later.verdict.as_ref());
        if !verdict_stays {
            (self.timeout, self.abort) = (later.timeout, later.abort);
            if let Some(verdict) = &later.verdict {
                self.take_losses_back(verdict.kind);
            }
            self.verdict = later.verdict;
        }
        self.tell_gaps(&later.gaps, gap);
        for seen_at in later.seen_at {
            if !self.seen_at.contains(&seen_at) {
                self.seen_at.push(seen_at);
            }
        }
        for (vantage, cookie) in later.cookies {
            if self.cookies.iter().all(|(known, _)| *known != vantage) {
                self.cookies.push((vantage, cookie));
            }
        }
        if let (Some(observed), Some(other)) = (&mut self.observed, later.observed) {
            observed.latest = other.latest;
        }
        (self.closed_at, self.last_seen) = (later.closed_at, later.last_seen);
        // What is said once, at the beginning, only the first observation has heard.
        take(&mut self.greeting, later.greeting);
        take(&mut self.login, later.login);
        take(&mut self.statement, later.statement);
        take(&mut self.client_process, later.client_process);
        take(&mut self.server_process, later.server_process);
        let Told { user, statement } = later.told;
        take(&mut self.told.user, user);
        take(&mut self.told.statement, statement);
        if later.hidden != Some(Hidden::Unseen) {
            self.hidden = later.hidden;
        }
        self.in_flight = later.in_flight;
        self.severity = self.severity.max(later.severity);
        self.go_on_with_stalls(later.stalls, later.stalls_left_out, gap);
        for (mark, at) in later.marks {
            self.mark(at, mark);
        }
        match (&mut self.curve, later.curve) {
            (Some(curve), Some(other)) => curve.go_on(other),
            (curve @ None, other) => *curve = other,
            (Some(_), None) => {}
        }
    }

    fn gap_before(&self, later: &Self) -> Gap {
        Gap {
            from: self.observed.map_or(self.last_seen, |observed| observed.latest),
            to: later.observed.map_or(later.first_seen, |observed| observed.earliest),
        }
    }

    /// That there is a gap is told where it is told what is missing.
    fn tell_gaps(&mut self, later: &[Gap], gap: Gap) {
        self.gaps.push(gap);
        self.gaps.extend(later);
        let beyond = self.gaps.len().saturating_sub(GAPS);
        self.gaps.drain(..beyond);
        if let Some(verdict) = &mut self.verdict {
            let Gap { from, to } = gap;
            verdict.missing.push(format!(
                "it was not observed from {} to {} UTC ({}), and is judged by what was seen on one side of that",
                time_of_day(from),
                time_of_day(to),
                Seconds(to.since(from))
            ));
        }
    }

    /// A stall that the one observation left open may have gone on in the other; nobody has seen that.
    fn go_on_with_stalls(&mut self, later: impl IntoIterator<Item = Stall>, left_out: u64, gap: Gap) {
        self.stalls_left_out += left_out;
        for stall in self.stalls.iter_mut().filter(|stall| stall.end.is_none()) {
            stall.end = Some(gap.from);
        }
        for stall in later {
            self.keep(stall);
        }
        debug_assert!(self.stalls.len() <= STALLS);
    }
}

/// Takes what is known later, if it is.
fn take<T>(known: &mut Option<T>, later: Option<T>) {
    if later.is_some() {
        *known = later;
    }
}

/// Whether the verdict of an observation stays, whatever a later one says: it has seen the cause, and the other what
/// came of it. That it went on all the same, would be seen.
fn stays(before: Option<&Verdict>, later: Option<&Verdict>) -> bool {
    use VerdictKind::{NetWriteTimeout, Open, Recovered, Unknown};
    let (Some(before), Some(later)) = (before, later) else { return later.is_none() };
    match (before.kind, later.kind) {
        (Open | Unknown | Recovered, _) => false,
        (_, Unknown) => true,
        (NetWriteTimeout, kind) => !matches!(kind, NetWriteTimeout | Open | Recovered),
        _ => false,
    }
}
