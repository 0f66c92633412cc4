//! What is exported of the judgement, at one moment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use observer_core::{
    Connection, Finding, FindingKind, LossPoint, Phase, Severity, Timestamp, Tracker, VerdictKind, WriteClock,
};

use crate::log;

/// So many servers have figures of their own; those beyond share theirs.
pub const MOST_SERVERS: usize = 64;

/// The phases of open connections, in the order of their declaration.
pub(super) const PHASES: [&str; 6] = ["flowing", "stalled", "warning", "critical", "lost", "server_closed"];

/// What can be found, by the names of the log.
pub(super) const FINDINGS: [(&str, Severity); 11] = [
    ("stalled", Severity::Notice),
    ("warning", Severity::Warning),
    ("critical", Severity::Critical),
    ("lost", Severity::Lost),
    ("recovered", Severity::Notice),
    ("server_closed", Severity::Lost),
    ("client_closed", Severity::Notice),
    ("closed", Severity::Notice),
    ("verdict", Severity::Notice),
    ("events_lost", Severity::Lost),
    ("degraded", Severity::Warning),
];

/// What can have become of a connection that is gone, by the names of the log.
pub(super) const VERDICTS: [(VerdictKind, &str); 9] = [
    (VerdictKind::NetWriteTimeout, "net_write_timeout"),
    (VerdictKind::IdleTimeout, "idle_timeout"),
    (VerdictKind::Killed, "killed"),
    (VerdictKind::ServerCrashed, "server_crashed"),
    (VerdictKind::ClientClosed, "client_closed"),
    (VerdictKind::ClientVanished, "client_vanished"),
    (VerdictKind::Network, "network"),
    (VerdictKind::Recovered, "recovered"),
    (VerdictKind::Unknown, "unknown"),
];

/// Where observations can be lost, by the names of the log, in the order of [`LossPoint::ALL`].
pub(super) const PLACES: [&str; LossPoint::ALL.len()] =
    ["ring_buffer", "connection_map", "decoder", "capture", "log", "tracker", "limit"];

/// What is known at one moment, and what has been counted until then.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Open connections by phase, in the order of [`Phase`].
    pub phases: [u64; PHASES.len()],
    /// Connections there have been.
    pub connections_seen: u64,
    /// Connections that are kept at most.
    pub connections_limit: u64,
    /// The servers of open connections; those beyond [`MOST_SERVERS`] are `None`.
    pub servers: BTreeMap<Option<SocketAddr>, ServerFigures>,
    /// Findings by kind.
    pub findings: [u64; FINDINGS.len()],
    /// Verdicts by kind.
    pub verdicts: [u64; VERDICTS.len()],
    /// Bytes that applications had yet to read when their server's close had reached them.
    pub unread_lost: u64,
    /// Observations lost, by place.
    pub events_lost: [u64; PLACES.len()],
    /// How the writing of the log goes.
    pub log: log::Status,
    /// When sockets were polled last, and how far apart polls are.
    pub polled: Option<(Instant, Duration)>,
}

/// What is known of the connections of one server.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServerFigures {
    /// Its open connections.
    pub connections: u64,
    /// How long the longest of the stalls lasts for which the server waits; zero without one.
    pub longest_stall: Duration,
    /// The time until the earliest moment at which the server can give up on one of them; `None` without one.
    pub least_time_left: Option<Duration>,
    /// The largest share of its timeout that one of them has used, 0 to 1.
    pub timeout_used: f64,
}

impl Figures {
    /// Counts a finding.
    pub fn count(&mut self, finding: &Finding) {
        let name = name(&finding.kind);
        increase(&mut self.findings, FINDINGS.iter().position(|(known, _)| *known == name));
        match &finding.kind {
            FindingKind::ServerClosed { unread: Some(unread), .. } => {
                self.unread_lost = self.unread_lost.saturating_add(*unread);
            }
            FindingKind::Verdict(verdict) => {
                increase(&mut self.verdicts, VERDICTS.iter().position(|(known, _)| *known == verdict.kind));
            }
            _ => {}
        }
    }

    /// Looks at every connection, as it is at `now`.
    pub fn take_stock(&mut self, tracker: &Tracker, now: Timestamp) {
        self.connections_seen = tracker.connections_seen();
        self.connections_limit = tracker.config().max_connections as u64;
        self.events_lost = LossPoint::ALL.map(|place| tracker.events_lost_by(place));
        self.phases.fill(0);
        // A server that has a name keeps it as long as it has connections.
        self.servers.values_mut().for_each(|server| *server = ServerFigures::default());
        for connection in tracker.connections().filter(|connection| connection.phase() != Phase::Closed) {
            increase(&mut self.phases, Some(connection.phase() as usize));
            self.server_mut(connection.flow().server).add(connection, now);
        }
        self.servers.retain(|_, server| server.connections > 0);
    }

    fn server_mut(&mut self, server: SocketAddr) -> &mut ServerFigures {
        let has_name = self.servers.contains_key(&Some(server)) || self.servers.len() < MOST_SERVERS;
        self.servers.entry(has_name.then_some(server)).or_default()
    }
}

impl ServerFigures {
    fn add(&mut self, connection: &Connection, now: Timestamp) {
        self.connections += 1;
        if let Some(clock) = running_clock(connection) {
            let since = connection.window_closed_since().unwrap_or(clock.started.earliest);
            let left = clock.left(now);
            self.longest_stall = self.longest_stall.max(now.since(since));
            self.least_time_left = Some(self.least_time_left.map_or(left, |least| least.min(left)));
            self.timeout_used = self.timeout_used.max(clock.used(now));
        }
    }
}

/// The clock of a connection that the server has not given up.
fn running_clock(connection: &Connection) -> Option<&WriteClock> {
    let waits = matches!(connection.phase(), Phase::Stalled | Phase::Warning | Phase::Critical);
    connection.clock().filter(|_| waits)
}

fn increase(counts: &mut [u64], index: Option<usize>) {
    if let Some(count) = index.and_then(|index| counts.get_mut(index)) {
        *count += 1;
    }
}

/// What was found, by its name in the log.
fn name(kind: &FindingKind) -> &'static str {
    match kind {
        FindingKind::Stalled { .. } => "stalled",
        FindingKind::Warning { .. } => "warning",
        FindingKind::Critical { .. } => "critical",
        FindingKind::Lost { .. } => "lost",
        FindingKind::Recovered { .. } => "recovered",
        FindingKind::ServerClosed { .. } => "server_closed",
        FindingKind::ClientClosed { .. } => "client_closed",
        FindingKind::Closed { .. } => "closed",
        FindingKind::Verdict(_) => "verdict",
        FindingKind::EventsLost { .. } => "events_lost",
        FindingKind::Degraded { .. } => "degraded",
    }
}

#[cfg(test)]
mod tests;
