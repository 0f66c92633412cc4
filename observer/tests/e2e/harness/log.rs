//! The event log as a stranger would read it: by its promised form only.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use observer_core::{
    Config, Connection, ConnectionId, End, Event, EventKind, Finding, FindingKind, SocketEvent,
    SocketEventKind, SourceEvent, Timestamp, Tracker, Vantage, Verdict,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Header { schema: String },
    Event(Event),
    Finding(Finding),
}

/// What an observer has written.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// What it observed.
    pub(crate) events: Vec<Event>,
    /// What it found.
    pub(crate) findings: Vec<Finding>,
    /// How many events stand before each finding.
    events_before: Vec<usize>,
}

/// A connection as the events of a log tell it.
#[derive(Debug)]
pub(crate) struct Told {
    id: ConnectionId,
    /// The ends that are seen on this host.
    pub(crate) local: Vec<Vantage>,
}

impl Log {
    /// Reads what is there; a last line without its end is still being written.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let mut log = Self::default();
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        for (number, line) in whole.lines().enumerate() {
            match serde_json::from_str(line).with_context(|| format!("line {}: {line}", number + 1))? {
                Line::Header { schema } => ensure!(number == 0 && schema == "observer.log/1", "{line}"),
                Line::Event(event) => log.events.push(event),
                Line::Finding(finding) => {
                    log.findings.push(finding);
                    log.events_before.push(log.events.len());
                }
            }
        }
        Ok(log)
    }

    /// What was found about the connections of `client`.
    pub(crate) fn findings_of(&self, client: SocketAddr) -> Vec<&Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.flow.is_some_and(|flow| flow.client == client))
            .collect()
    }

    /// The first finding about `client` of a kind.
    pub(crate) fn finding(
        &self,
        client: SocketAddr,
        kind: impl Fn(&FindingKind) -> bool,
    ) -> anyhow::Result<&Finding> {
        let findings = self.findings_of(client);
        let found = findings.iter().find(|finding| kind(&finding.kind));
        found.copied().with_context(|| format!("no such finding among {}", listed(findings.iter().copied())))
    }

    /// What became of the connection of `client`.
    pub(crate) fn verdict(&self, client: SocketAddr) -> anyhow::Result<&Verdict> {
        self.findings_of(client)
            .into_iter()
            .find_map(|finding| match &finding.kind {
                FindingKind::Verdict(verdict) => Some(&**verdict),
                _ => None,
            })
            .with_context(|| format!("no verdict among {}", listed(self.findings_of(client))))
    }

    /// Every connection of `client` that the events make, also one about which nothing was found: as it was last.
    pub(crate) fn connections(&self, client: SocketAddr) -> Vec<Told> {
        let mut tracker = Tracker::new(Config::default());
        let mut told: Vec<Told> = Vec::new();
        for event in &self.events {
            tracker.handle_event(event);
            for connection in tracker.connections().filter(|connection| connection.flow().client == client) {
                let id = connection.id();
                told.retain(|before| before.id != id);
                let local = [End::Client, End::Server].into_iter().filter(|&end| connection.is_local(end));
                told.push(Told { id, local: local.map(Vantage::from).collect() });
            }
            while tracker.poll().is_some() {}
        }
        told
    }

    /// When the application of `client` was said to fail, each with the moment at which that was said.
    pub(crate) fn failures_foretold(&self, client: SocketAddr) -> Vec<(Timestamp, Timestamp)> {
        let mut tracker = Tracker::new(Config::default());
        let mut foretold: Vec<(Timestamp, Timestamp)> = Vec::new();
        for event in &self.events {
            tracker.handle_event(event);
            while tracker.poll().is_some() {}
            let mut connections =
                tracker.connections().filter(|connection| connection.flow().client == client);
            let fails_at = connections.find_map(Connection::fails_at);
            let is_new = |at: &Timestamp| foretold.last().is_none_or(|(_, before)| before != at);
            foretold.extend(fails_at.filter(is_new).map(|at| (event.at, at)));
        }
        foretold
    }

    /// Fails when the finding was not told by the time it is stamped with: events that are `late` later than it were
    /// told before. The first of them may be what the observer woke up by.
    pub(crate) fn ensure_in_time(&self, finding: &Finding, late: Duration) -> anyhow::Result<()> {
        let line =
            self.findings.iter().position(|other| other == finding).context("a finding of this log")?;
        let before = &self.events[..self.events_before[line]];
        let later = before.iter().filter(|event| event.at > finding.at + late).count();
        ensure!(later <= 1, "{finding:?} was told only after {later} events of more than {late:?} later");
        Ok(())
    }

    /// What was seen of the connection of `client`.
    pub(crate) fn events_of(&self, client: SocketAddr) -> impl Iterator<Item = &SocketEventKind> {
        self.events.iter().filter_map(move |event| match &event.kind {
            EventKind::Socket(socket) if socket.socket.flow.client == client => Some(&socket.kind),
            _ => None,
        })
    }

    /// When something of a kind was seen of the connection of `client`.
    pub(crate) fn times_of(
        &self,
        client: SocketAddr,
        kind: impl Fn(&SocketEventKind) -> bool,
    ) -> Vec<Timestamp> {
        let of_client = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::Socket(socket) if socket.socket.flow.client == client => {
                Some((event.at, &socket.kind))
            }
            _ => None,
        });
        of_client.filter(|(_, event)| kind(event)).map(|(at, _)| at).collect()
    }

    /// Which process was told to have read last at the client's end of `client`, and when, oldest first.
    pub(crate) fn last_reads(&self, client: SocketAddr) -> Vec<(u32, Timestamp)> {
        let told = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::Socket(SocketEvent { socket, kind: SocketEventKind::Wire(sample) })
                if (socket.flow.client, socket.seen_at) == (client, Vantage::Client) =>
            {
                sample.last_read.as_ref()
            }
            _ => None,
        });
        told.map(|read| (read.process.pid, read.at)).collect()
    }

    /// The ends at which something was seen.
    pub(crate) fn seen_at(&self) -> Vec<Vantage> {
        let seen_at = |end: &Vantage| {
            self.events.iter().any(
                |event| matches!(&event.kind, EventKind::Socket(socket) if socket.socket.seen_at == *end),
            )
        };
        [Vantage::Client, Vantage::Server, Vantage::Wire].into_iter().filter(seen_at).collect()
    }

    /// How many observations were lost.
    pub(crate) fn lost(&self) -> u64 {
        let losses = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::Source(SourceEvent::EventsLost { count, .. }) => Some(*count),
            _ => None,
        });
        losses.sum()
    }
}

/// The name of a finding in the log.
pub(crate) fn name(kind: &FindingKind) -> String {
    let value = serde_json::to_value(kind).unwrap_or_default();
    value["finding"].as_str().unwrap_or_default().to_owned()
}

/// Findings a line each, for messages.
pub(crate) fn listed<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> String {
    let lines = findings.into_iter().map(|finding| serde_json::to_string(finding).unwrap_or_default());
    lines.map(|line| "\n    ".to_owned() + &line).collect()
}
