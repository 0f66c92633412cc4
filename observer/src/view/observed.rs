//! What the view keeps of what was observed, beside the judgement's own state: histories, events, what is missing.

use std::collections::HashSet;

use observer_core::{
    Config, Connection, End, Event, EventKind, Finding, SocketEventKind, SocketRef, SourceEvent, Timestamp,
    Tracker,
};

use super::events::EventList;
use super::series::{Histories, Series};
use crate::text::safe;

/// Missing parts of the source that are remembered at most; a source has a few.
const DEGRADED: usize = 32;

/// What was observed, in bounded memory.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    pub(super) events: EventList,
    histories: Histories,
    /// Parts of the source that are missing.
    pub(super) degraded: Vec<String>,
    config: Config,
}

/// Everything that is known at one moment: what a picture is drawn of and keys act on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) observed: &'a Observed,
    pub(super) tracker: &'a Tracker,
    pub(super) now: Timestamp,
}

impl Observed {
    /// Nothing yet.
    pub(super) fn new(config: Config) -> Self {
        let histories = Histories::new(config.max_connections);
        Self { events: EventList::default(), histories, degraded: Vec::new(), config }
    }

    /// Forgets all of it. A recording that is played again makes the same connections again.
    pub(super) fn clear(&mut self) {
        self.events = EventList::default();
        self.histories.clear();
        self.degraded.clear();
    }

    /// Takes an event; whether there is something new to see.
    pub(super) fn observe(&mut self, event: &Event) -> bool {
        match &event.kind {
            EventKind::Socket(socket) => {
                let SocketRef { flow, seen_at, .. } = socket.socket;
                if matches!(socket.kind, SocketEventKind::ZeroWindow { by: End::Client, .. }) {
                    self.histories.refine(flow);
                }
                let timeout = self.config.net_write_timeout_of(flow.server).duration;
                let Some(series) = self.histories.of_event(flow, timeout) else {
                    return self.events.observe(event);
                };
                let sample = matches!(socket.kind, SocketEventKind::Wire(_) | SocketEventKind::Socket(_));
                if sample {
                    series.observe(event)
                } else {
                    series.tells(seen_at) && (self.events.observe(event) | series.observe(event))
                }
            }
            EventKind::Source(SourceEvent::Degraded { part, .. }) => {
                let part = safe(part).into_owned();
                if self.degraded.len() < DEGRADED && !self.degraded.contains(&part) {
                    self.degraded.push(part);
                }
                true
            }
            EventKind::Source(_) => false,
        }
    }

    /// Takes a finding.
    pub(super) fn find(&mut self, finding: &Finding) {
        self.events.find(finding);
    }

    /// Forgets the histories of connections that are gone, once they are many.
    pub(super) fn tidy(&mut self, tracker: &Tracker) {
        if self.histories.len() > 2 * tracker.len() + 16 {
            let flows: HashSet<_> = tracker.connections().map(Connection::flow).collect();
            self.histories.retain(|flow| flows.contains(&flow));
        }
    }

    /// The history of a connection.
    pub(super) fn series(&self, connection: &Connection) -> Option<&Series> {
        self.histories.get(connection.flow())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_misses_ever_more_takes_no_more_memory() {
        let mut observed = Observed::new(Config::default());
        for number in 0..10_000 {
            let (because, without) = (String::new(), String::new());
            let kind =
                EventKind::Source(SourceEvent::Degraded { part: number.to_string(), because, without });
            observed.observe(&Event { at: Timestamp::EPOCH, kind });
        }
        assert_eq!(observed.degraded.len(), DEGRADED);
        assert_eq!(observed.degraded[0], "0");
    }
}
