//! All connections, and the way of events through the rules to findings.

mod deadlines;
mod index;
mod own;
mod pairing;
mod room;
mod servers;

use std::collections::{BTreeSet, VecDeque};

use crate::config::Config;
use crate::connection::{Connection, Phase};
use crate::event::{Event, EventKind, LossPoint, SocketEvent, SocketEventKind, SourceEvent};
use crate::finding::{Finding, FindingKind};
use crate::flow::ConnectionId;
use crate::rules::Context;
use crate::time::Timestamp;

use deadlines::Deadlines;
use index::Index;
pub(crate) use index::Slot;
use own::Own;
use pairing::Pairing;
use servers::Servers;

/// The judgement: a state machine without clock and I/O.
///
/// The order of use: [`handle_event`](Self::handle_event) for each event,
/// [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) is due, and
/// [`poll`](Self::poll) after either until it gives `None`.
///
/// A clone keeps the state of one moment, to be looked at while the observation goes on.
#[derive(Clone, Debug)]
pub struct Tracker {
    config: Config,
    connections: Index,
    deadlines: Deadlines,
    /// The furthest moment it was told of.
    now: Timestamp,
    /// The few connections that are not [`Phase::Flowing`] and not [`Phase::Closed`].
    unsettled: BTreeSet<ConnectionId>,
    servers: Servers,
    own: Own,
    findings: VecDeque<Finding>,
    /// Whether all connections are marked as having seen a loss.
    all_saw_loss: bool,
    lost: [u64; LossPoint::ALL.len()],
    /// Connections ever added.
    added: u64,
}

/// Inputs.
impl Tracker {
    /// A tracker that knows nothing yet.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            connections: Index::default(),
            deadlines: Deadlines::default(),
            now: Timestamp::EPOCH,
            unsettled: BTreeSet::new(),
            servers: Servers::default(),
            own: Own::default(),
            findings: VecDeque::new(),
            all_saw_loss: false,
            lost: [0; LossPoint::ALL.len()],
            added: 0,
        }
    }

    /// Takes one event. Deadlines before it come first; so a source that is replayed needs no timer. Events may come a
    /// little out of order: what is older than the present state is used as far as it still says something.
    ///
    /// The findings follow from the events and their order, and from nothing else, as long as time passes by events
    /// too: by [`SourceEvent::TimePassed`], which a live observer puts among the events, and into its log, when a
    /// deadline falls due and none of them has come.
    ///
    /// Gives the connection the event was taken as one of, if any.
    pub fn handle_event(&mut self, event: &Event) -> Option<ConnectionId> {
        if let EventKind::Source(SourceEvent::Resumed { looks_for }) = event.kind {
            self.deadlines.wait(event.at, looks_for);
        }
        self.pass_deadlines(event.at, false);
        match &event.kind {
            EventKind::Socket(socket) => return self.handle_socket_event(event.at, socket),
            EventKind::Source(SourceEvent::EventsLost { count, lost_by }) => {
                self.note_loss(event.at, *count, *lost_by);
            }
            EventKind::Source(SourceEvent::Degraded { part, because, without }) => {
                let (part, because, without) = (part.clone(), because.clone(), without.clone());
                self.find(event.at, FindingKind::Degraded { part, because, without });
            }
            // Sockets that are gone have their own events; that nothing else happened changes nothing.
            EventKind::Source(SourceEvent::SocketsPolled { .. } | SourceEvent::Resumed { .. }) => {}
            EventKind::Source(SourceEvent::TimePassed) => self.handle_timeout(event.at),
        }
        None
    }

    /// Lets time pass: everything that falls due up to `now` happens, each at its own moment, but for what waits after
    /// [`SourceEvent::Resumed`]. The same as [`SourceEvent::TimePassed`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.pass_deadlines(now, true);
    }

    /// The source has come to its end: what fell due waits for nothing more, and what became of one connection is not told by
    /// what others may still do.
    pub fn finish(&mut self) {
        self.deadlines.wait_no_more();
        self.pass_deadlines(self.now, true);
        let ended: Vec<_> = self
            .connections()
            .filter(|connection| connection.ending().is_some() && !connection.is_told())
            .map(Connection::id)
            .collect();
        for id in ended {
            let Some(connection) = self.connections.get_mut(id) else { continue };
            let siblings = self.servers.siblings_of(connection);
            connection.note_siblings(siblings);
            if let Some(due) = connection.verdict_due() {
                let mut cx = Context::new(&self.config, &mut self.findings);
                connection.tell_verdict(due, siblings, &mut cx);
                self.settle(id);
            }
        }
    }
}

/// Outputs.
impl Tracker {
    /// When [`handle_timeout`](Self::handle_timeout) wants to be called next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.deadlines.next()
    }

    /// The next finding, oldest first.
    pub fn poll(&mut self) -> Option<Finding> {
        self.findings.pop_front()
    }
}

/// Getters.
impl Tracker {
    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// One connection.
    pub fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(id)
    }

    /// How many connections there are, those that have ended lately included.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// How many connections there have been, those that are forgotten included.
    pub fn connections_seen(&self) -> u64 {
        self.added
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All connections, those that have ended lately included, in no particular order.
    pub fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.connections.iter()
    }

    /// The connections that stand still, are lost or are closing: those worth a closer look. There are few of
    /// them, however many connections there are.
    pub fn unsettled(&self) -> impl Iterator<Item = &Connection> {
        self.unsettled.iter().filter_map(|id| self.connections.get(*id))
    }

    /// How many observations were lost altogether.
    pub fn events_lost(&self) -> u64 {
        self.lost.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Observations lost at one place.
    pub fn events_lost_by(&self, place: LossPoint) -> u64 {
        self.lost[place as usize]
    }
}

impl Tracker {
    fn handle_socket_event(&mut self, at: Timestamp, event: &SocketEvent) -> Option<ConnectionId> {
        if let SocketEventKind::ObserversOwn = event.kind {
            self.own.add(event.socket.flow);
            // Where it was seen before this was known, nothing more is to be told of it.
            if let Pairing::Known(id) = pairing::pair(&self.connections, at, event) {
                self.forget(id);
            }
            return None;
        }
        if self.own.is_about(at, event) {
            return None;
        }
        let id = match pairing::pair(&self.connections, at, event) {
            Pairing::Known(id) => id,
            Pairing::New => self.add(at, event),
            Pairing::Nothing => return None,
        };
        let connection = self.connections.get_mut(id)?;
        if let Some((end, cookie)) = pairing::identity(event) {
            connection.end_mut(end).cookie = Some(cookie);
        }
        if connection.phase != Phase::Closed {
            connection.last_seen = connection.last_seen.max(at);
        }
        let ending = connection.ending();
        let waits = self.deadlines.wait_at(at);
        let mut cx = Context { waits, ..Context::new(&self.config, &mut self.findings) };
        connection.observe(at, event, &mut cx);
        self.servers.heard(at, connection, &event.kind);
        if connection.ending() != ending {
            self.servers.ended(connection);
        }
        self.settle(id);
        Some(id)
    }

    /// Passes the deadlines before `now`, and at it where that is `included`.
    fn pass_deadlines(&mut self, now: Timestamp, included: bool) {
        self.now = self.now.max(now);
        while let Some((at, id)) = self.deadlines.pass(now, included) {
            let Some(connection) = self.connections.get_mut(id) else { continue };
            connection.timer = None;
            let mut cx = Context::new(&self.config, &mut self.findings);
            if connection.verdict_due().is_some() {
                connection.tell_verdict(at, self.servers.siblings_of(connection), &mut cx);
                self.settle(id);
            } else if connection.deadline_passed(at, &mut cx) {
                self.forget(id);
            } else {
                self.settle(id);
            }
        }
    }

    /// Brings the lists of the few up to date after connection `id` has changed.
    fn settle(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let cx = Context::new(&self.config, &mut self.findings);
        let deadline = connection.verdict_due().or_else(|| connection.deadline(&cx));
        self.servers.count(connection, true);
        if deadline != connection.timer {
            let before = std::mem::replace(&mut connection.timer, deadline);
            self.deadlines.change(id, before, deadline);
        }
        let is_unsettled = !matches!(connection.phase, Phase::Flowing | Phase::Closed);
        if is_unsettled != connection.is_unsettled {
            connection.is_unsettled = is_unsettled;
            if is_unsettled {
                self.unsettled.insert(id);
            } else {
                self.unsettled.remove(&id);
            }
        }
    }

    fn note_loss(&mut self, at: Timestamp, count: u64, lost_by: LossPoint) {
        let lost = &mut self.lost[lost_by as usize];
        *lost = lost.saturating_add(count);
        // What the judgement has given up itself is nobody else's loss, and a connection that is limited says so itself.
        let of_any = !matches!(lost_by, LossPoint::Tracker | LossPoint::Limit);
        if of_any && !std::mem::replace(&mut self.all_saw_loss, true) {
            self.connections
                .iter_mut()
                .for_each(|connection| connection.saw_loss |= connection.phase != Phase::Closed);
        }
        let total = self.events_lost();
        self.find(at, FindingKind::EventsLost { count, total, lost_by });
    }

    fn find(&mut self, at: Timestamp, kind: FindingKind) {
        self.findings.push_back(Finding::of_observation(at, kind));
    }
}
