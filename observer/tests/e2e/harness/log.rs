//! The event log as a stranger would read it: by its promised form only.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, ensure};
use observer_core::{
    ConnectionId, Event, EventKind, Finding, FindingKind, SocketEventKind, SourceEvent, Timestamp, Vantage,
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
                Line::Finding(finding) => log.findings.push(finding),
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

    /// Every connection that something was found about.
    pub(crate) fn connections(&self) -> Vec<ConnectionId> {
        let mut ids: Vec<_> = self.findings.iter().filter_map(|finding| finding.connection).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
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
