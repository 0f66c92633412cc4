//! The connections of a capture, as many as there is room for, and what is told of them and when.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::time::Duration;

use hashbrown::DefaultHashBuilder;
use lru::LruCache;
use observer_core::{
    End, Event, EventKind, Flow, LossPoint, SocketEvent, SocketEventKind, SocketRef, SourceEvent, Timestamp,
    Vantage,
};

use super::connection::Connection;
use super::segment::{FIN, RST, SYN, Segment};
use crate::mysql::Statements;

/// How often losses are told.
const LOSS_PACE: Duration = Duration::from_secs(1);

/// All connections. Those that were silent for longest make room for new ones.
#[derive(Debug)]
pub(super) struct Connections {
    most: NonZeroUsize,
    statements: Statements,
    table: LruCache<Flow, Connection>,
    /// The connections whose counters have changed, by when that is told.
    due: BTreeMap<(Timestamp, u64), Flow>,
    /// Of the newest connection.
    serial: u64,
    losses: Losses,
    hasher: DefaultHashBuilder,
}

/// What was lost and not told yet.
#[derive(Debug, Default)]
struct Losses {
    /// Packets that the capture says it has lost, and gaps in connections.
    capture: u64,
    /// Connections that had to make room before they ended.
    connections: u64,
    due: Option<Timestamp>,
}

impl Connections {
    pub(super) fn new(most: NonZeroUsize, statements: Statements) -> Self {
        Self {
            most,
            statements,
            table: LruCache::unbounded(),
            due: BTreeMap::new(),
            serial: 0,
            losses: Losses::default(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// Lets time pass up to `now`: tells what falls due until then, each at its own moment.
    pub(super) fn advance(&mut self, now: Timestamp, events: &mut VecDeque<Event>) {
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), flow) = entry.remove_entry();
            self.tell_counters(at, flow, events);
        }
        if self.losses.due.is_some_and(|due| due <= now) {
            self.tell_losses(now, events);
        }
    }

    /// Takes a segment that `by` has sent. Whether it is one that was seen already.
    pub(super) fn observe(
        &mut self,
        at: Timestamp,
        flow: Flow,
        by: End,
        segment: &Segment<'_>,
        events: &mut VecDeque<Event>,
    ) -> bool {
        // For most segments nothing has to be done before.
        if segment.has(SYN | FIN | RST) || !self.table.contains(&flow) {
            self.prepare(at, flow, by, segment, events);
        }
        let Some(connection) = self.table.get_mut(&flow) else { return false };
        if connection.is_duplicate(at, by, segment, &self.hasher) {
            return true;
        }
        connection.observe(at, by, segment, |kind| events.push_back(event(at, flow, kind)));
        let due = connection.next_due(at);
        if connection.due.is_none_or(|known| due < known) {
            if let Some(later) = connection.due.replace(due) {
                self.due.remove(&(later, connection.serial));
            }
            self.due.insert((due, connection.serial), flow);
        }
        false
    }

    /// Makes ready for a segment that begins or ends a connection, or is the first that was seen of it.
    fn prepare(
        &mut self,
        at: Timestamp,
        flow: Flow,
        by: End,
        segment: &Segment<'_>,
        events: &mut VecDeque<Event>,
    ) {
        match self.table.get_mut(&flow) {
            Some(connection) if connection.is_ended_by(by, segment) => {
                self.give_up(at, flow, events);
                self.add(at, flow, segment, events);
            }
            Some(connection) => {
                if connection.is_given_up_by(by, segment) {
                    self.tell_last_counters(at, flow, events);
                    self.tell_losses(at, events);
                }
            }
            None => self.add(at, flow, segment, events),
        }
    }

    /// Notes packets that the capture says it has lost.
    pub(super) fn note_lost_packets(&mut self, at: Timestamp, count: u64) {
        self.losses.capture = self.losses.capture.saturating_add(count);
        self.losses.due.get_or_insert(at + LOSS_PACE);
    }

    /// The connections that are followed, and the moments that something is due of them.
    #[cfg(test)]
    pub(super) fn held(&self) -> [usize; 2] {
        [self.table.len(), self.due.len()]
    }

    /// The end of the capture: tells what was not told yet.
    pub(super) fn finish(&mut self, at: Timestamp, events: &mut VecDeque<Event>) {
        for flow in std::mem::take(&mut self.due).into_values() {
            self.tell_counters(at, flow, events);
        }
        self.tell_losses(at, events);
    }

    fn add(&mut self, at: Timestamp, flow: Flow, segment: &Segment<'_>, events: &mut VecDeque<Event>) {
        if self.table.len() >= self.most.get()
            && let Some((silent, connection)) = self.table.peek_lru()
        {
            if !connection.has_ended() {
                self.losses.connections += 1;
                self.losses.due.get_or_insert(at + LOSS_PACE);
            }
            self.give_up(at, *silent, events);
        }
        self.serial += 1;
        self.table.put(flow, Connection::new(self.serial, at, segment, self.statements));
    }

    /// Tells the last of a connection and forgets it.
    fn give_up(&mut self, at: Timestamp, flow: Flow, events: &mut VecDeque<Event>) {
        self.tell_last_counters(at, flow, events);
        self.table.pop(&flow);
    }

    /// Tells the counters of a connection before they fall due, if they have changed.
    fn tell_last_counters(&mut self, at: Timestamp, flow: Flow, events: &mut VecDeque<Event>) {
        if let Some(connection) = self.table.peek_mut(&flow)
            && let Some(due) = connection.due
        {
            self.due.remove(&(due, connection.serial));
            self.tell_counters(at, flow, events);
        }
    }

    fn tell_counters(&mut self, at: Timestamp, flow: Flow, events: &mut VecDeque<Event>) {
        let Some(connection) = self.table.peek_mut(&flow) else { return };
        connection.due = None;
        let gaps = connection.settle_gaps(at);
        events.extend(connection.waits_for().map(|kind| event(at, flow, kind)));
        events.push_back(event(at, flow, connection.sample()));
        if gaps > 0 {
            self.note_lost_packets(at, gaps);
        }
    }

    fn tell_losses(&mut self, at: Timestamp, events: &mut VecDeque<Event>) {
        let Losses { capture, connections, .. } = std::mem::take(&mut self.losses);
        for (count, lost_by) in [(capture, LossPoint::Capture), (connections, LossPoint::Tracker)] {
            if count > 0 {
                let kind = EventKind::Source(SourceEvent::EventsLost { count, lost_by });
                events.push_back(Event { at, kind });
            }
        }
    }
}

fn event(at: Timestamp, flow: Flow, kind: SocketEventKind) -> Event {
    let socket = SocketRef { flow, seen_at: Vantage::Wire, cookie: None };
    Event { at, kind: EventKind::Socket(SocketEvent { socket, kind }) }
}
