//! The curves of connections: of those in trouble, within a limit, and of those that were heard of last, so that the
//! curve of one that gets into trouble has a beginning.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use lru::LruCache;
use observer_core::{ConnectionId, Event, EventKind};

use super::curve::Curve;

/// Connections in trouble whose curves are kept: the first ones.
pub(super) const KEPT: usize = 1_000;
/// Points of each, of some 50 bytes: as many as a picture can show.
const POINTS: usize = 300;
/// Other connections whose curves are kept.
const RECENT: NonZeroUsize = NonZeroUsize::new(1_000).expect("not zero");
/// Points of each.
const POINTS_OF_RECENT: usize = 32;

/// Curves by connection: at most some 17 MB.
#[derive(Debug)]
pub(super) struct Curves {
    kept: HashMap<ConnectionId, Curve>,
    recent: LruCache<ConnectionId, Curve>,
}

impl Curves {
    /// None yet.
    pub(super) fn new() -> Self {
        Self { kept: HashMap::new(), recent: LruCache::new(RECENT) }
    }

    /// Takes what an event tells of this connection.
    pub(super) fn observe(&mut self, id: ConnectionId, event: &Event) {
        let EventKind::Socket(socket) = &event.kind else { return };
        if !Curve::is_told_by(&socket.kind) {
            return;
        }
        let curve = match self.kept.get_mut(&id) {
            Some(curve) => curve,
            None => self.recent.get_or_insert_mut(id, || Curve::new(POINTS_OF_RECENT)),
        };
        curve.observe(event.at, socket);
    }

    /// This connection is in trouble: its curve is kept from now on, if there is room.
    pub(super) fn keep(&mut self, id: ConnectionId) {
        if self.kept.len() < KEPT && !self.kept.contains_key(&id) {
            let mut curve = self.recent.pop(&id).unwrap_or(Curve::new(POINTS));
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
        self.kept.remove(&id).or_else(|| self.recent.pop(&id))
    }

    /// The curve of a connection in trouble, or of one that was heard of lately.
    pub(super) fn of(&self, id: ConnectionId) -> Option<&Curve> {
        self.kept.get(&id).or_else(|| self.recent.peek(&id))
    }
}
