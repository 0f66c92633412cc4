//! Reads the kernel's map of connections at the observer's own pace.
//!
//! A full pass looks at every connection, a slice of them each turn, so that records are never kept waiting; those
//! in trouble are looked at more often. A connection that has not changed since is not told again.

use std::collections::{HashMap, HashSet};

use aya::maps::{HashMap as KernelHashMap, MapData, PerCpuArray};
use observer_common::{ConnectionState, Counter, DirectionState, Rare, beginning, flag, name};
use observer_core::{
    DirectionSample, End, Event, EventKind, LastRead, LossPoint, SeqNumber, SocketEvent, SocketEventKind,
    SourceEvent, Statement, Timestamp, WireSample,
};

use super::load::Kernel;
use super::milestones::{answered, milestones};
use super::records::{Decoder, ends_in_result, process, scaled};
use super::statements::KeptStatements;
use super::trouble::{Look, Trouble};
use crate::mysql::Statements;

/// Connections looked at in one turn.
pub(super) const SLICE: usize = 256;

/// A connection's state as bytes: what aya can read without a promise of ours.
type StateBytes = [u8; size_of::<ConnectionState>()];

/// What changes when a connection does.
type Fingerprint = (u64, u64, u64);

/// The maps, and what was told of them.
pub(super) struct Sampler {
    connections: KernelHashMap<MapData, u64, StateBytes>,
    counters: PerCpuArray<MapData, u64>,
    /// Cookies still to be looked at in this pass.
    pass: Vec<u64>,
    trouble: Trouble,
    told: HashMap<u64, Fingerprint>,
    /// `None` where nothing is kept.
    statements: Option<KeptStatements>,
    losses: Losses,
    /// Entries the map has room for.
    capacity: usize,
    /// Whether every connection that ends is told, so that those the LRU has dropped can be counted.
    ends_are_told: bool,
    /// Connections that ended and were taken out.
    removed: u64,
}

/// Losses that were told, as the kernel counts them.
#[derive(Default)]
struct Losses {
    ring_buffer: u64,
    map: u64,
    limit: u64,
    /// Connections the LRU has dropped to make room, as far as they are noticed.
    dropped: u64,
}

impl Sampler {
    pub(super) fn new(kernel: &Kernel, decoder: &Decoder, statements: Statements) -> anyhow::Result<Self> {
        let statements = match statements {
            Statements::None => None,
            kept => Some(KeptStatements::new(kernel, decoder.clock(), kept)?),
        };
        Ok(Self {
            connections: kernel.take_map(name::CONNECTIONS)?.try_into()?,
            counters: kernel.take_map(name::COUNTERS)?.try_into()?,
            pass: Vec::new(),
            trouble: Trouble::default(),
            told: HashMap::new(),
            statements,
            losses: Losses::default(),
            capacity: kernel.capacity,
            ends_are_told: kernel.ends_are_told,
            removed: 0,
        })
    }

    /// Begins a pass over all connections.
    pub(super) fn begin_pass(&mut self) {
        let added = self.counter(Counter::ConnectionsAdded);
        // The kernel begins again when the key it stands at is taken out meanwhile: hence a limit, and no doubles.
        self.pass = self.cookies().collect();
        self.pass.sort_unstable();
        self.pass.dedup();
        let present: HashSet<u64> = self.pass.iter().copied().collect();
        self.told.retain(|cookie, _| present.contains(cookie));
        self.trouble.retain(|cookie| present.contains(&cookie));
        if let Some(statements) = &mut self.statements {
            statements.retain(|cookie| present.contains(&cookie));
        }
        if self.ends_are_told && self.counter(Counter::ConnectionsAdded) == added {
            let accounted = self.removed.saturating_add(present.len() as u64);
            self.losses.dropped = self.losses.dropped.max(added.saturating_sub(accounted));
        }
    }

    /// Looks at the next connections of the pass; `false` when it is over.
    pub(super) fn continue_pass(&mut self, decoder: &Decoder, events: &mut Vec<Event>) -> bool {
        let rest = self.pass.len().saturating_sub(SLICE);
        for cookie in self.pass.split_off(rest) {
            self.sample(cookie, decoder.now(), decoder, events);
        }
        !self.pass.is_empty()
    }

    /// Looks at the connections in trouble.
    pub(super) fn look_at_trouble(&mut self, decoder: &Decoder, events: &mut Vec<Event>) {
        for cookie in self.trouble.cookies() {
            self.sample(cookie, decoder.now(), decoder, events);
        }
    }

    /// Whether any connection is in trouble: a window is closed, were it for a moment.
    pub(super) fn has_trouble(&self) -> bool {
        self.trouble.is_any()
    }

    /// Whether any connection stands still.
    pub(super) fn stands_still(&self, now: Timestamp) -> bool {
        self.trouble.stands_still(now)
    }

    /// Looks whether any of those in trouble stands still, and tells nothing.
    pub(super) fn look_for_standstill(&mut self, now: Timestamp) {
        for cookie in self.trouble.cookies() {
            if let Some((_, _, look)) = self.look(cookie) {
                self.trouble.look_for_standstill(cookie, now, look);
            }
        }
    }

    /// A connection's window has closed.
    pub(super) fn watch(&mut self, cookie: u64, at: Timestamp) {
        self.trouble.begins(cookie, at);
    }

    /// A connection is gone since `at`: tells its last sample, and makes room.
    pub(super) fn finish(&mut self, cookie: u64, at: Timestamp, decoder: &Decoder, events: &mut Vec<Event>) {
        self.sample(cookie, at, decoder, events);
        if self.connections.remove(&cookie).is_ok() {
            self.removed += 1;
        }
        self.told.remove(&cookie);
        self.trouble.ends(cookie);
        if let Some(statements) = &mut self.statements {
            statements.forget(cookie);
        }
    }

    /// A connection is gone, and nothing has told its end: tells it, if the connection was ever told of.
    pub(super) fn gone(&mut self, cookie: u64, decoder: &Decoder, events: &mut Vec<Event>) {
        let Ok(bytes) = self.connections.get(&cookie, 0) else { return };
        let state: ConnectionState = bytemuck::pod_read_unaligned(&bytes);
        let (at, mut last) = (decoder.now(), Vec::new());
        // Its beginning was, or a sample of it.
        let was_told = state.beginning != beginning::UNSEEN || self.told.contains_key(&cookie);
        self.finish(cookie, at, decoder, &mut last);
        if let Some((socket, _)) = decoder.socket(&state.ends(), cookie).ok().filter(|_| was_told) {
            events.append(&mut last);
            let kind = SocketEventKind::Destroyed;
            events.push(Event { at, kind: EventKind::Socket(SocketEvent { socket, kind }) });
        }
    }

    /// The cookies in the map.
    pub(super) fn cookies(&self) -> impl Iterator<Item = u64> {
        self.connections.keys().take(self.capacity).filter_map(Result::ok)
    }

    /// Records that the ring buffer had no place for, as far as they were told.
    pub(super) fn lost_records(&self) -> u64 {
        self.losses.ring_buffer
    }

    /// Whether every connection that ends is told.
    pub(super) fn ends_are_told(&self) -> bool {
        self.ends_are_told
    }

    /// The closed window of a connection was probed at `at`: tells what its client waits for, if that is news.
    pub(super) fn probed(&mut self, cookie: u64, at: Timestamp, decoder: &Decoder) -> Option<Event> {
        let statements = self.statements.as_mut()?;
        let state: ConnectionState = bytemuck::pod_read_unaligned(&self.connections.get(&cookie, 0).ok()?);
        let statement = statements.news(cookie, &state.command)?;
        waits_for(statement, &state, cookie, at, decoder)
    }

    /// The state of a connection, and what changes with it. It may have gone meanwhile.
    fn look(&self, cookie: u64) -> Option<(ConnectionState, Fingerprint, Look)> {
        let bytes = self.connections.get(&cookie, 0).ok()?;
        let state: ConnectionState = bytemuck::pod_read_unaligned(&bytes);
        let closings = state.egress.zero_windows.wrapping_add(state.ingress.zero_windows);
        let fingerprint = (state.egress.segments, state.ingress.segments, state.last_read.at);
        let has_moved = self.told.get(&cookie) != Some(&fingerprint);
        let is_closed = (state.egress.flags | state.ingress.flags) & flag::CLOSED != 0;
        Some((state, fingerprint, Look { is_closed, closings, has_moved }))
    }

    fn sample(&mut self, cookie: u64, at: Timestamp, decoder: &Decoder, events: &mut Vec<Event>) {
        let Some((state, fingerprint, look)) = self.look(cookie) else { return };
        self.trouble.look(cookie, at, look);
        if look.is_closed {
            let statement =
                self.statements.as_mut().and_then(|statements| statements.news(cookie, &state.command));
            events.extend(statement.and_then(|told| waits_for(told, &state, cookie, at, decoder)));
        }
        // Without an address it was put into the map just now, and is not written yet.
        let Ok((socket, local_end)) = decoder.socket(&state.ends(), cookie) else { return };
        if self.told.insert(cookie, fingerprint) != Some(fingerprint) {
            let kind = SocketEventKind::Wire(Box::new(wire_sample(&state, local_end, decoder)));
            events.push(Event { at, kind: EventKind::Socket(SocketEvent { socket, kind }) });
        }
    }

    /// Tells what was lost since it was told last.
    pub(super) fn tell_losses(&mut self, decoder: &Decoder, events: &mut Vec<Event>) {
        let ring_buffer = self.counter(Counter::RingBufferFull);
        let map_full = self.counter(Counter::ConnectionMapFull);
        let map_total = map_full + self.losses.dropped;
        tell_loss(LossPoint::RingBuffer, ring_buffer, &mut self.losses.ring_buffer, decoder, events);
        tell_loss(LossPoint::ConnectionMap, map_total, &mut self.losses.map, decoder, events);
        let untold = self.counter(Counter::Untold);
        tell_loss(LossPoint::Limit, untold, &mut self.losses.limit, decoder, events);
    }

    fn counter(&self, counter: Counter) -> u64 {
        self.counters.get(&(counter as u32), 0).map_or(0, |values| values.iter().sum())
    }
}

/// Tells the difference to what was told before.
fn tell_loss(lost_by: LossPoint, total: u64, told: &mut u64, decoder: &Decoder, events: &mut Vec<Event>) {
    let count = total.saturating_sub(*told);
    if count > 0 {
        *told = total;
        let kind = EventKind::Source(SourceEvent::EventsLost { count, lost_by });
        events.push(Event { at: decoder.now(), kind });
    }
}

/// The event that tells what the client of a connection waits for.
fn waits_for(
    statement: Statement,
    state: &ConnectionState,
    cookie: u64,
    at: Timestamp,
    decoder: &Decoder,
) -> Option<Event> {
    let (socket, local_end) = decoder.socket(&state.ends(), cookie).ok()?;
    let (client, server, tail) = match local_end {
        End::Client => (&state.egress, &state.ingress, &state.ingress_tail),
        End::Server => (&state.ingress, &state.egress, &state.egress_tail),
    };
    let is_answer = server.flags & flag::TAIL != 0 && server.payload_ack == client.next_seq;
    let in_result = if is_answer { ends_in_result(tail) } else { None };
    let kind = SocketEventKind::Statement(Box::new(Statement { in_result, ..statement }));
    Some(Event { at, kind: EventKind::Socket(SocketEvent { socket, kind }) })
}

fn wire_sample(state: &ConnectionState, local_end: End, decoder: &Decoder) -> WireSample {
    let (egress, ingress) = (&state.egress, &state.ingress);
    let (egress_scale, ingress_scale) = (state.egress_scale, state.ingress_scale);
    let window = scaled(egress.window, egress_scale, ingress_scale);
    let egress_sample = direction_sample(egress, ingress, &state.egress_rare, window, decoder);
    let window = scaled(ingress.window, ingress_scale, egress_scale);
    let ingress_sample = direction_sample(ingress, egress, &state.ingress_rare, window, decoder);
    let (mut client, server, reader) = if local_end == End::Client {
        (egress_sample, ingress_sample, egress)
    } else {
        (ingress_sample, egress_sample, ingress)
    };
    if reader.flags & flag::CLOSED != 0 {
        client.milestones = milestones(state, reader, decoder);
        client.answered = answered(reader, decoder).map(Box::new);
    }
    let read = &state.last_read;
    let last_read = (read.at != 0)
        .then(|| LastRead { at: decoder.time(read.at), process: process(read.tgid, read.tid, &read.comm) });
    let untold = [&state.egress_rare, &state.ingress_rare].map(|rare| u32::from(rare.untold));
    let [untold_by_client, untold_by_server] =
        if local_end == End::Client { untold } else { [untold[1], untold[0]] };
    WireSample { client, server, last_read, untold_by_client, untold_by_server }
}

fn direction_sample(
    own: &DirectionState,
    peer: &DirectionState,
    rare: &Rare,
    window: Option<u32>,
    decoder: &Decoder,
) -> DirectionSample {
    // A FIN takes a sequence number but is no byte of payload.
    let acknowledged_fin =
        peer.flags & flag::FIN != 0 && own.flags & flag::ACK != 0 && own.ack == peer.next_seq;
    DirectionSample {
        segments: own.segments,
        sent: own.sent,
        acknowledged: own.acknowledged.saturating_sub(u64::from(acknowledged_fin)),
        next_seq: SeqNumber(own.next_seq),
        ack: SeqNumber(own.ack),
        window: window.filter(|_| own.flags & flag::ACK != 0),
        zero_windows: own.zero_windows,
        probes: rare.probes,
        probe_acks: rare.probe_acks,
        last_ack_advance: (own.last_ack_advance != 0).then(|| decoder.time(own.last_ack_advance)),
        milestones: Vec::new(),
        answered: None,
        retransmissions: rare.retransmissions,
    }
}
