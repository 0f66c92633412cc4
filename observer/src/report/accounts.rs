//! The accounts of the connections that have trouble, fed with what is observed and found. There is a limit to them.

use std::collections::{HashMap, HashSet};

use observer_core::{
    Config, Connection, ConnectionId, End, Event, EventKind, Finding, FindingKind, Flow, LossPoint, Phase,
    Severity, SocketEventKind, TimeRange, Timestamp, Tracker,
};

use super::account::{Account, Mark};
use super::curves::Curves;
use super::left_out::LeftOut;
use super::{Report, Watched};
use crate::source::recording::flow;

/// Accounts kept of a recording.
const OF_RECORDING: usize = 20_000;
/// Accounts kept while a view runs, for days maybe: at most some 40 kB each with the curve, as a rule a few.
const WATCHING: usize = 500;

/// A part of a source that was missing, with what could not be known without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Degradation {
    /// The part. Of the three, none is cleaned for a terminal.
    pub(super) part: String,
    /// Why.
    pub(super) because: String,
    /// What could not be known.
    pub(super) without: String,
}

/// Degradations kept at most.
const DEGRADATIONS: usize = 32;

/// For which connections there is an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// Those that had trouble, and all others as well while there is room.
    All,
    /// Those that had trouble.
    Trouble,
    /// Of those that had trouble, the ones that the judgement knows: no other can be asked for.
    Known,
}

/// Accounts of connections.
#[derive(Debug)]
pub struct Accounts {
    config: Config,
    kept: Kept,
    limit: usize,
    by_id: HashMap<ConnectionId, Account>,
    /// So many more may be opened before those that are not needed are looked for.
    until_prune: usize,
    /// Of all connections: those that ended without trouble, and make room for one that has some.
    spare: Vec<ConnectionId>,
    /// Connections of note for which there was no room.
    left_out: LeftOut,
    curves: Curves,
    degraded: Vec<Degradation>,
    severity: Option<Severity>,
    /// Connections of which an observation before has told, and that may go on in this one.
    open_before: HashSet<Flow>,
}

impl Accounts {
    /// Those of a recording that is read to its end. With `all`, of connections without trouble too.
    pub(super) fn of_recording(config: Config, all: bool) -> Self {
        Self::new(config, if all { Kept::All } else { Kept::Trouble }, OF_RECORDING)
    }

    /// Those of connections that are watched, for [`report_on`](Self::report_on).
    pub fn watching(config: Config) -> Self {
        Self::new(config, Kept::Known, WATCHING)
    }

    fn new(config: Config, kept: Kept, limit: usize) -> Self {
        Self {
            config,
            kept,
            limit,
            by_id: HashMap::new(),
            until_prune: limit / 4,
            spare: Vec::new(),
            left_out: LeftOut::default(),
            curves: Curves::new(limit),
            degraded: Vec::new(),
            severity: None,
            open_before: HashSet::new(),
        }
    }

    /// Of these connections there is an account whether they have trouble or not: an observation before has told of them.
    pub(super) fn go_on(&mut self, open_before: HashSet<Flow>) {
        self.open_before = open_before;
    }

    /// Takes an event after the judgement has; `about` is what [`Tracker::handle_event`] gave.
    pub fn event(&mut self, event: &Event, about: Option<ConnectionId>, tracker: &Tracker) {
        let Some(id) = about else { return };
        let goes_on =
            !self.open_before.is_empty() && flow(event).is_some_and(|flow| self.open_before.contains(&flow));
        let is_of_note = goes_on || is_of_note(event);
        if is_of_note {
            self.curves.keep(id);
        }
        self.curves.observe(id, event);
        // One that had no trouble yet is told of where there is room, or from the moment when it has some.
        if is_of_note || self.kept == Kept::All && self.by_id.len() < self.limit {
            self.open(id, tracker);
        }
        if let (Some(account), Some(connection)) = (self.by_id.get_mut(&id), tracker.connection(id)) {
            let was_closed = account.closed_at.is_some();
            account.observe(event, connection, &self.config);
            if self.kept == Kept::All && !was_closed && account.closed_at.is_some() {
                self.spare.push(id);
            }
        }
    }

    /// Takes a finding.
    pub fn finding(&mut self, finding: &Finding, tracker: &Tracker) {
        match &finding.kind {
            FindingKind::Degraded { part, because, without } => {
                let (part, because, without) = (part.clone(), because.clone(), without.clone());
                let degradation = Degradation { part, because, without };
                if self.degraded.len() < DEGRADATIONS && !self.degraded.contains(&degradation) {
                    self.degraded.push(degradation);
                }
                // Of the observation itself, only what was lost weighs.
                return;
            }
            FindingKind::EventsLost { .. } => {
                for account in self.by_id.values_mut().filter(|account| account.closed_at.is_none()) {
                    account.mark(finding.at, Mark::EventsLost);
                }
            }
            _ => {}
        }
        self.severity = self.severity.max(Some(finding.kind.severity()));
        let Some(id) = finding.connection else { return };
        self.curves.keep(id);
        self.open(id, tracker);
        match self.by_id.get_mut(&id) {
            Some(account) => account.find(finding, tracker.connection(id), &self.config),
            None => self.left_out.find(id),
        }
    }

    /// The report of all of them, at the end of the recording, which lasted from `began` to `now`.
    pub(super) fn finish(self, began: Timestamp, now: Timestamp, tracker: &Tracker) -> Report {
        let Self {
            config, kept, limit, by_id, left_out, mut curves, degraded, severity, open_before, ..
        } = self;
        let connections = tracker.connections_seen();
        let count = match kept {
            Kept::All if by_id.len() >= limit => connections.saturating_sub(by_id.len() as u64),
            _ => left_out.count,
        };
        let mut accounts: Vec<_> = by_id
            .into_iter()
            .filter(|(_, account)| {
                kept == Kept::All || account.severity.is_some() || open_before.contains(&account.flow)
            })
            .map(|(id, mut account)| {
                account.observed(TimeRange { earliest: began, latest: now });
                account.finish(now, tracker.connection(id), &config);
                account.curve = curves.take(id);
                account
            })
            .collect();
        accounts.sort_by_key(|account| (account.first_seen, account.flow.client, account.flow.server));
        Report {
            accounts,
            connections,
            left_out: count,
            left_out_in_trouble: left_out.in_trouble,
            lost: lost(tracker),
            degraded,
            severity,
            ..Report::default()
        }
    }

    /// The report of one connection as it stands at `now`, while `place` is watched. One that never had trouble, or for
    /// whose account there was no room, is told as the judgement knows it; that there was no room is said.
    pub fn report_on(
        &self,
        connection: &Connection,
        place: &str,
        now: Timestamp,
        tracker: &Tracker,
    ) -> Report {
        let id = connection.id();
        let mut account = self.by_id.get(&id).cloned().unwrap_or_else(|| Account::new(connection));
        account.finish(now, Some(connection), &self.config);
        account.curve = self.curves.of(id).cloned();
        let watched = Watched { place: place.to_owned(), at: now };
        Report {
            severity: account.severity,
            accounts: vec![account],
            connections: 1,
            left_out: u64::from(self.left_out.contains(id)),
            lost: lost(tracker),
            degraded: self.degraded.clone(),
            watched: Some(watched),
            ..Report::default()
        }
    }

    fn open(&mut self, id: ConnectionId, tracker: &Tracker) {
        // An account with a gap in it would tell a wrong story: who was left out stays so.
        if self.by_id.contains_key(&id) || self.left_out.contains(id) {
            return;
        }
        if self.until_prune == 0 {
            self.prune(tracker);
        }
        self.until_prune -= 1;
        let Some(connection) = tracker.connection(id) else { return };
        if self.by_id.len() >= self.limit {
            self.make_room();
        }
        if self.by_id.len() < self.limit {
            self.by_id.insert(id, Account::new(connection));
        } else {
            self.left_out.add(id);
        }
    }

    /// Of all connections, the one that ended last without trouble is told of no more.
    fn make_room(&mut self) {
        while let Some(id) = self.spare.pop() {
            let is_needed = self
                .by_id
                .get(&id)
                .is_none_or(|account| account.severity.is_some() || self.open_before.contains(&account.flow));
            if !is_needed {
                self.by_id.remove(&id);
                return self.left_out.add(id);
            }
        }
    }

    /// A window that was touched for a moment, or a connection that ended as it should, needs no account.
    fn prune(&mut self, tracker: &Tracker) {
        let kept = self.kept;
        self.by_id.retain(|id, account| {
            let known = tracker.connection(*id);
            let lives = known.is_some_and(|known| known.phase() != Phase::Closed);
            kept == Kept::All
                || lives
                || self.open_before.contains(&account.flow)
                || account.severity.is_some() && (kept == Kept::Trouble || known.is_some())
        });
        self.curves.retain(|id| self.by_id.contains_key(&id));
        self.left_out.prune(tracker);
        // Looked for so seldom that it costs nothing to speak of, and before there is no room.
        let room = self.limit.saturating_sub(self.by_id.len());
        self.until_prune = self.by_id.len().min(room).max(self.limit / 16).max(1);
    }
}

/// Observations lost so far, by place.
fn lost(tracker: &Tracker) -> Vec<(LossPoint, u64)> {
    let counts = LossPoint::ALL.into_iter().map(|place| (place, tracker.events_lost_by(place)));
    counts.filter(|(_, count)| *count > 0).collect()
}

/// Whether an event may be the beginning of trouble; its moment would be missing in an account opened later.
fn is_of_note(event: &Event) -> bool {
    let EventKind::Socket(socket) = &event.kind else { return false };
    matches!(
        socket.kind,
        SocketEventKind::ZeroWindow { by: End::Client, .. }
            | SocketEventKind::ZeroWindowProbe { by: End::Server }
            | SocketEventKind::Fin { by: End::Server, .. }
            | SocketEventKind::Reset { .. }
    )
}

#[cfg(test)]
mod tests;
