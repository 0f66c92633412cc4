//! The accounts of the connections that have trouble, fed with what is observed and found. There is a limit to them.

use std::collections::{HashMap, HashSet};

use observer_core::{
    Config, Connection, ConnectionId, End, Event, EventKind, Finding, FindingKind, Flow, LossPoint, Phase,
    Severity, SocketEventKind, TimeRange, Timestamp, Tracker,
};

use super::account::{Account, Mark};
use super::curves::Curves;
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
    /// Those that had trouble, and all others as well.
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
    /// Connections for which there was no room, as far as there is room for that.
    left_out: HashSet<ConnectionId>,
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
            left_out: HashSet::new(),
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
        if self.kept == Kept::All || is_of_note {
            self.open(id, tracker);
        }
        if let (Some(account), Some(connection)) = (self.by_id.get_mut(&id), tracker.connection(id)) {
            account.observe(event, connection, &self.config);
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
        if let Some(account) = self.by_id.get_mut(&id) {
            account.find(finding, tracker.connection(id), &self.config);
        }
    }

    /// The report of all of them, at the end of the recording, which lasted from `began` to `now`.
    pub(super) fn finish(self, began: Timestamp, now: Timestamp, tracker: &Tracker) -> Report {
        let Self { config, kept, by_id, left_out, mut curves, degraded, severity, open_before, .. } = self;
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
            connections: tracker.connections_seen(),
            left_out: left_out.len() as u64,
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
            left_out: u64::from(self.left_out.contains(&id)),
            lost: lost(tracker),
            degraded: self.degraded.clone(),
            watched: Some(watched),
            ..Report::default()
        }
    }

    fn open(&mut self, id: ConnectionId, tracker: &Tracker) {
        // An account with a gap in it would tell a wrong story: who was left out stays so.
        if self.by_id.contains_key(&id) || self.left_out.contains(&id) {
            return;
        }
        if self.until_prune == 0 {
            self.prune(tracker);
        }
        self.until_prune -= 1;
        let Some(connection) = tracker.connection(id) else { return };
        if self.by_id.len() < self.limit {
            self.by_id.insert(id, Account::new(connection));
        } else if self.left_out.len() < self.limit {
            self.left_out.insert(id);
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
        if kept == Kept::Known {
            self.left_out.retain(|id| tracker.connection(*id).is_some());
        }
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
mod tests {
    use std::net::SocketAddr;

    use observer_core::{SeqNumber, SocketEvent, SocketRef, TcpState, Vantage};

    use super::*;

    /// What the client at this port does.
    fn event(port: u16, second: i64, kind: SocketEventKind) -> Event {
        let address = |last, port| SocketAddr::from(([10, 0, 0, last], port));
        let flow = Flow { client: address(1, port), server: address(2, 3306) };
        let socket = SocketRef { flow, seen_at: Vantage::Client, cookie: Some(port.into()) };
        let kind = EventKind::Socket(SocketEvent { socket, kind });
        Event { at: Timestamp::from_micros(second * 1_000_000), kind }
    }

    fn closing(port: u16, second: i64) -> Event {
        event(port, second, SocketEventKind::ZeroWindow { by: End::Client, ack: SeqNumber(1) })
    }

    /// Takes an event, and gives the connection it is about.
    fn take(accounts: &mut Accounts, tracker: &mut Tracker, event: &Event) -> Option<ConnectionId> {
        let about = tracker.handle_event(event);
        accounts.event(event, about, tracker);
        while let Some(finding) = tracker.poll() {
            accounts.finding(&finding, tracker);
        }
        about
    }

    #[test]
    fn there_is_a_limit_and_who_is_beyond_it_counts_once() {
        let mut tracker = Tracker::new(Config::default());
        let mut accounts = Accounts::new(Config::default(), Kept::Trouble, 16);
        for second in 1..4 {
            for port in 1..=20 {
                take(&mut accounts, &mut tracker, &closing(port, second));
            }
        }
        assert_eq!((accounts.by_id.len(), accounts.left_out.len()), (16, 4));
        let report = accounts.finish(Timestamp::EPOCH, Timestamp::from_micros(4_000_000), &tracker);
        assert_eq!(report.left_out, 4);
    }

    #[test]
    fn while_watching_those_that_ended_well_make_room() {
        let mut tracker = Tracker::new(Config::default());
        let mut accounts = Accounts::new(Config::default(), Kept::Known, 16);
        for port in 1..=200 {
            // A window that was touched, and an ordinary end.
            let second = i64::from(port);
            take(&mut accounts, &mut tracker, &closing(port, second));
            let ack = SeqNumber(1);
            let open = SocketEventKind::WindowUpdate { by: End::Client, window: Some(65_536), ack };
            take(&mut accounts, &mut tracker, &event(port, second, open));
            let (from, to) = (TcpState::Established, TcpState::Closed);
            let closed = SocketEventKind::State { from, to, process: None };
            take(&mut accounts, &mut tracker, &event(port, second, closed));
            take(&mut accounts, &mut tracker, &event(port, second, SocketEventKind::Destroyed));
            assert!(accounts.by_id.len() <= 16);
        }
        assert!(accounts.left_out.is_empty(), "{:?}", accounts.left_out);
    }

    #[test]
    fn a_report_on_one_says_that_there_was_no_room() {
        let mut tracker = Tracker::new(Config::default());
        let mut accounts = Accounts::new(Config::default(), Kept::Known, 4);
        let ids: Vec<_> =
            (1..=5).filter_map(|port| take(&mut accounts, &mut tracker, &closing(port, 1))).collect();
        let now = Timestamp::from_micros(2_000_000);
        let left_out = |id| {
            let connection = tracker.connection(id).unwrap();
            accounts.report_on(connection, "db1:3306", now, &tracker).left_out
        };
        assert_eq!(ids.into_iter().map(left_out).collect::<Vec<_>>(), [0, 0, 0, 0, 1]);
    }
}
