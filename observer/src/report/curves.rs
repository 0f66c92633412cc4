//! The curves of connections: of those in trouble, within a limit, and of those that were heard of last, so that the
//! curve of one that gets into trouble has a beginning.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;
use observer_core::{ConnectionId, Event, EventKind, Timestamp};

use super::curve::Curve;

/// Connections in trouble whose curves are kept at most: the first ones.
pub(super) const KEPT: usize = 1_000;
/// Points of each, of some 50 bytes: as many as a picture can show.
const POINTS: usize = 300;
/// Other connections whose curves are kept.
const RECENT: NonZeroUsize = NonZeroUsize::new(4_000).expect("not zero");
/// Points of each.
const POINTS_OF_RECENT: usize = 24;
/// Of these, one that was not heard of for so long makes room. Earlier none does: with more connections than there is
/// room for, each would drive out another with every sample, and none would have a beginning.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// Curves by connection: at most some 22 MB.
#[derive(Debug)]
pub(super) struct Curves {
    kept: HashMap<ConnectionId, Curve>,
    limit: usize,
    /// With the time when each was heard of last.
    recent: LruCache<ConnectionId, (Timestamp, Curve)>,
}

impl Curves {
    /// None yet; those of at most so many connections in trouble.
    pub(super) fn new(limit: usize) -> Self {
        Self { kept: HashMap::new(), limit: limit.min(KEPT), recent: LruCache::new(RECENT) }
    }

    /// Takes what an event tells of this connection.
    pub(super) fn observe(&mut self, id: ConnectionId, event: &Event) {
        let EventKind::Socket(socket) = &event.kind else { return };
        if !Curve::is_told_by(&socket.kind) {
            return;
        }
        if let Some(curve) = self.kept.get_mut(&id) {
            curve.observe(event.at, socket);
        } else if let Some(curve) = self.recent(id, event.at) {
            curve.observe(event.at, socket);
        }
    }

    /// The curve of a connection that is not known to be in trouble, if there is room.
    fn recent(&mut self, id: ConnectionId, at: Timestamp) -> Option<&mut Curve> {
        if !self.recent.contains(&id) {
            let oldest = self.recent.peek_lru().filter(|_| self.recent.len() >= RECENT.get());
            if oldest.is_some_and(|(_, (heard_of, _))| at.since(*heard_of) < FORGOTTEN) {
                return None;
            }
            self.recent.push(id, (at, Curve::new(POINTS_OF_RECENT)));
        }
        let (heard_of, curve) = self.recent.get_mut(&id)?;
        *heard_of = at;
        Some(curve)
    }

    /// This connection is in trouble: its curve is kept from now on, if there is room.
    pub(super) fn keep(&mut self, id: ConnectionId) {
        if self.kept.len() < self.limit && !self.kept.contains_key(&id) {
            let mut curve = self.recent.pop(&id).map_or(Curve::new(POINTS), |(_, curve)| curve);
            curve.allow(POINTS);
            self.kept.insert(id, curve);
        }
    }

    /// Keeps on only those of connections of note.
    pub(super) fn retain(&mut self, is_of_note: impl Fn(ConnectionId) -> bool) {
        self.kept.retain(|id, _| is_of_note(*id));
    }

    /// Gives away the curve of a connection in trouble, or of one that was heard of lately.
    pub(super) fn take(&mut self, id: ConnectionId) -> Option<Curve> {
        self.kept.remove(&id).or_else(|| Some(self.recent.pop(&id)?.1))
    }

    /// The curve of a connection in trouble, or of one that was heard of lately.
    pub(super) fn of(&self, id: ConnectionId) -> Option<&Curve> {
        self.kept.get(&id).or_else(|| Some(&self.recent.peek(&id)?.1))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use observer_core::{
        Config, End, Flow, SeqNumber, SocketEvent, SocketEventKind, SocketRef, Tracker, Vantage,
    };

    use super::*;

    /// A window that is advertised by client number `number`, and which connection that is.
    fn update(tracker: &mut Tracker, number: u32, second: i64, window: u32) -> (ConnectionId, Event) {
        let address = |ip: u32, port| SocketAddr::from((ip.to_be_bytes(), port));
        let flow = Flow { client: address(0x0a00_0000 + number, 40_000), server: address(0x0b00_0000, 3306) };
        let socket = SocketRef { flow, seen_at: Vantage::Client, cookie: None };
        let (by, ack) = (End::Client, SeqNumber(1));
        let kind = SocketEventKind::WindowUpdate { by, window: Some(window), ack };
        let event = Event {
            at: Timestamp::from_micros(second * 1_000_000),
            kind: EventKind::Socket(SocketEvent { socket, kind }),
        };
        (tracker.handle_event(&event).unwrap(), event)
    }

    #[test]
    fn who_gets_into_trouble_has_a_beginning_and_there_is_a_limit() {
        let mut tracker = Tracker::new(Config::default());
        let mut curves = Curves::new(10);
        let mut ids = Vec::new();
        for second in 0..5 {
            for number in 0..20 {
                let (id, event) = update(&mut tracker, number, second, 1 + u32::try_from(second).unwrap());
                curves.observe(id, &event);
                ids.push(id);
            }
        }
        ids.truncate(20);
        for id in &ids {
            curves.keep(*id);
        }
        assert_eq!((curves.kept.len(), curves.recent.len()), (10, 10));
        for id in &ids {
            assert_eq!(
                curves.of(*id).unwrap().points().len(),
                9,
                "five windows, each from one moment to the next"
            );
        }
        curves.retain(|id| id == ids[3]);
        assert_eq!(curves.kept.len(), 1);
        assert!(curves.take(ids[3]).is_some() && curves.take(ids[3]).is_none());
    }

    #[test]
    fn with_too_many_the_first_stay_until_they_are_forgotten() {
        let mut tracker = Tracker::new(Config::default());
        let mut curves = Curves::new(10);
        let most = u32::try_from(RECENT.get()).unwrap();
        for number in 0..most {
            let (id, event) = update(&mut tracker, number, 0, 1);
            curves.observe(id, &event);
        }
        for (second, is_known) in [(5, false), (11, true)] {
            let (id, event) = update(&mut tracker, most, second, 1);
            curves.observe(id, &event);
            assert_eq!(curves.of(id).is_some(), is_known, "after {second} s");
        }
        assert_eq!(curves.recent.len(), RECENT.get());
    }
}
