//! The judgement of a recording, with an account of every connection that had trouble.

use std::collections::HashMap;

use observer_core::{
    Config, ConnectionId, End, Event, EventKind, Finding, FindingKind, LossPoint, Phase, Severity,
    SocketEventKind, Timestamp, Tracker,
};

use super::account::{Account, Mark};

/// Accounts kept at most; connections beyond are counted.
const ACCOUNTS: usize = 20_000;

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

/// What is known when a recording has been judged.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Accounts, in the order of time.
    pub(super) accounts: Vec<Account>,
    /// Connections seen.
    pub(super) connections: u64,
    /// Connections without an account for which there was no room.
    pub(super) left_out: u64,
    /// Observations lost, by place.
    pub(super) lost: Vec<(LossPoint, u64)>,
    /// Missing parts of the source.
    pub(super) degraded: Vec<Degradation>,
    /// The most severe finding about the host.
    pub(super) severity: Option<Severity>,
}

/// Runs the judgement and keeps the accounts.
#[derive(Debug)]
pub(super) struct Judgement {
    tracker: Tracker,
    config: Config,
    /// An account for every connection, not only for those in trouble.
    all: bool,
    accounts: HashMap<ConnectionId, Account>,
    /// When so many accounts are there, those without trouble that are over go.
    prune_at: usize,
    judged: Judged,
    now: Timestamp,
}

impl Judgement {
    /// A judgement of nothing yet. With `all`, connections without trouble have an account too.
    pub(super) fn new(config: Config, all: bool) -> Self {
        Self {
            tracker: Tracker::new(config.clone()),
            config,
            all,
            accounts: HashMap::new(),
            prune_at: ACCOUNTS / 4,
            judged: Judged::default(),
            now: Timestamp::EPOCH,
        }
    }

    /// Takes an event.
    pub(super) fn event(&mut self, event: &Event) {
        self.reach(event.at);
        if let Some(id) = self.tracker.handle_event(event) {
            self.note(id, event);
        }
        self.findings();
    }

    /// The recording goes on to this time at least.
    pub(super) fn reach(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
    }

    /// The recording has ended.
    pub(super) fn finish(mut self) -> Judged {
        self.tracker.handle_timeout(self.now);
        self.tracker.finish();
        self.findings();
        let Self { tracker, config, all, accounts, mut judged, now, .. } = self;
        judged.connections = tracker.connections_seen();
        judged.lost = LossPoint::ALL
            .into_iter()
            .map(|place| (place, tracker.events_lost_by(place)))
            .filter(|(_, count)| *count > 0)
            .collect();
        judged.accounts = accounts
            .into_iter()
            .filter(|(_, account)| all || account.severity.is_some())
            .map(|(id, mut account)| {
                account.finish(now, tracker.connection(id), &config);
                account
            })
            .collect();
        judged.accounts.sort_by_key(|account| (account.first_seen, account.flow.client, account.flow.server));
        judged
    }

    fn note(&mut self, id: ConnectionId, event: &Event) {
        let wanted = self.all || is_of_note(event);
        if wanted && !self.accounts.contains_key(&id) {
            self.open(id);
        }
        if let (Some(account), Some(connection)) = (self.accounts.get_mut(&id), self.tracker.connection(id)) {
            account.observe(event, connection, &self.config);
        }
    }

    fn open(&mut self, id: ConnectionId) {
        if self.accounts.len() >= self.prune_at {
            self.prune();
        }
        let Some(connection) = self.tracker.connection(id) else { return };
        if self.accounts.len() < ACCOUNTS {
            self.accounts.insert(id, Account::new(connection));
        } else {
            self.judged.left_out += 1;
        }
    }

    /// A window that was touched for a moment, or a connection that ended as it should, needs no account.
    fn prune(&mut self) {
        let (all, tracker) = (self.all, &self.tracker);
        self.accounts.retain(|id, account| {
            let lives = || tracker.connection(*id).is_some_and(|known| known.phase() != Phase::Closed);
            all || account.severity.is_some() || lives()
        });
        self.prune_at = (2 * self.accounts.len()).clamp(ACCOUNTS / 4, ACCOUNTS);
    }

    fn findings(&mut self) {
        while let Some(finding) = self.tracker.poll() {
            self.find(&finding);
        }
    }

    fn find(&mut self, finding: &Finding) {
        self.reach(finding.at);
        match &finding.kind {
            FindingKind::Degraded { part, because, without } => {
                let (part, because, without) = (part.clone(), because.clone(), without.clone());
                let degradation = Degradation { part, because, without };
                let degraded = &mut self.judged.degraded;
                if degraded.len() < DEGRADATIONS && !degraded.contains(&degradation) {
                    degraded.push(degradation);
                }
                // Of the observation itself, only what was lost weighs.
                return;
            }
            FindingKind::EventsLost { .. } => {
                for account in self.accounts.values_mut().filter(|account| account.closed_at.is_none()) {
                    account.mark(finding.at, Mark::EventsLost);
                }
            }
            _ => {}
        }
        self.judged.severity = self.judged.severity.max(Some(finding.kind.severity()));
        let Some(id) = finding.connection else { return };
        if !self.accounts.contains_key(&id) {
            self.open(id);
        }
        if let Some(account) = self.accounts.get_mut(&id) {
            account.find(finding, self.tracker.connection(id), &self.config);
        }
    }
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
