//! What was told about the sockets of one network namespace, so that only news is told.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use netlink_packet_sock_diag::inet::SocketId;
use observer_core::{
    Event, EventKind, SocketEvent, SocketEventKind, SocketRef, SocketSample, TimerKind, Timestamp,
};

use super::decode::Record;

/// The sockets of one namespace as they were told last, by cookie.
#[derive(Default)]
pub(super) struct Known {
    /// In boxes, as a table has room for up to twice as many.
    sockets: HashMap<u64, Box<Socket>>,
    /// Counts dumps, to find the sockets a dump did not show.
    round: u32,
}

struct Socket {
    id: SocketId,
    reference: SocketRef,
    /// A fingerprint of the last sample, without what runs on by itself: there may be many sockets.
    told: u64,
    /// The dump that showed it last.
    round: u32,
}

impl Known {
    /// How many sockets there are.
    pub(super) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Whether this socket was told of.
    pub(super) fn contains(&self, cookie: u64) -> bool {
        self.sockets.contains_key(&cookie)
    }

    /// The cookies of all of them.
    pub(super) fn cookies(&self) -> impl Iterator<Item = u64> {
        self.sockets.keys().copied()
    }

    /// A new dump begins.
    pub(super) fn begin_dump(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// The dump shows `record`. The event to tell, if there is news in it or the socket is in trouble.
    pub(super) fn see(&mut self, record: Record, socket: SocketRef, at: Timestamp) -> Option<Event> {
        let Record { id, cookie, sample, .. } = record;
        let told = fingerprint(&without_running_times(&sample));
        let seen = Socket { id, reference: socket, told, round: self.round };
        let is_news = if let Some(known) = self.sockets.get_mut(&cookie) {
            std::mem::replace(&mut **known, seen).told != known.told
        } else {
            self.sockets.insert(cookie, Box::new(seen));
            true
        };
        (is_news || in_trouble(&sample)).then(|| event(socket, SocketEventKind::Socket(Box::new(sample)), at))
    }

    /// The sockets that the dump, now at its end, did not show.
    pub(super) fn not_seen(&self) -> Vec<(u64, SocketId)> {
        let missing = self.sockets.iter().filter(|(_, socket)| socket.round != self.round);
        missing.map(|(&cookie, socket)| (cookie, socket.id.clone())).collect()
    }

    /// The socket is gone.
    pub(super) fn forget(&mut self, cookie: u64, at: Timestamp) -> Option<Event> {
        let known = self.sockets.remove(&cookie)?;
        Some(event(known.reference, SocketEventKind::Destroyed, at))
    }

    /// All of them are gone.
    pub(super) fn forget_all(self, at: Timestamp) -> impl Iterator<Item = Event> {
        self.sockets.into_values().map(move |known| event(known.reference, SocketEventKind::Destroyed, at))
    }
}

fn event(socket: SocketRef, kind: SocketEventKind, at: Timestamp) -> Event {
    Event { at, kind: EventKind::Socket(SocketEvent { socket, kind }) }
}

/// Whether a socket is told at every poll, changed or not: its times are what the countdown is made of.
fn in_trouble(sample: &SocketSample) -> bool {
    sample.recv_queue > 0 || sample.send_queue > 0 || sample.timer == TimerKind::Persist
}

fn fingerprint(sample: &SocketSample) -> u64 {
    let mut hasher = DefaultHasher::new();
    sample.hash(&mut hasher);
    hasher.finish()
}

/// The sample without the times that change on a socket on which nothing happens.
fn without_running_times(sample: &SocketSample) -> SocketSample {
    SocketSample {
        timer_expires: Duration::ZERO,
        last_data_received: Duration::ZERO,
        last_data_sent: Duration::ZERO,
        ..sample.clone()
    }
}
