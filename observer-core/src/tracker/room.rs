//! The bound on memory: how many connections are kept, and which go first.

use crate::connection::{Connection, Phase};
use crate::event::{LossPoint, SocketEvent};
use crate::flow::ConnectionId;
use crate::rules::Context;
use crate::time::Timestamp;
use crate::tracker::Tracker;

/// When there is no room, this part of all connections goes at once: looking for the longest silent ones means
/// looking at all of them.
const PART: usize = 64;

impl Tracker {
    /// Adds the connection that `event` begins.
    pub(super) fn add(&mut self, at: Timestamp, event: &SocketEvent) -> ConnectionId {
        let flow = event.socket.flow;
        if self.len() >= self.config.max_connections.max(1) {
            self.make_room(at);
        }
        // Without cookies there is one connection between two addresses at a time: the one before is over.
        let over = self.connections.of_flow(&flow).find(|older| {
            older.phase != Phase::Closed && older.client.cookie.is_none() && older.server.cookie.is_none()
        });
        if let Some(over) = over.map(Connection::id) {
            if let Some(over) = self.connections.get_mut(over) {
                over.closed(at, &mut Context::new(&self.config, &mut self.findings));
            }
            self.settle(over);
        }
        self.added += 1;
        let timeout = self.config.net_write_timeout_of(flow.server);
        let (id, surplus) = self.connections.insert(flow, |id| Connection::new(id, flow, at, timeout));
        self.all_saw_loss = false;
        if let Some(surplus) = surplus {
            self.give_up(at, &[surplus]);
        }
        id
    }

    /// Drops a connection from all lists.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        let Some(mut connection) = self.connections.remove(id) else { return };
        self.servers.count(&mut connection, false);
        self.deadlines.change(id, connection.timer, None);
        self.unsettled.remove(&id);
    }

    /// Drops some connections: those that have ended first, then those in no trouble, of each the longest silent.
    fn make_room(&mut self, at: Timestamp) {
        let mut all: Vec<_> =
            self.connections().map(|known| (rank(known), known.last_seen, known.id)).collect();
        let count = (all.len() / PART).max(1);
        if count < all.len() {
            all.select_nth_unstable(count);
        }
        let going: Vec<_> = all.into_iter().take(count).map(|(_, _, id)| id).collect();
        self.give_up(at, &going);
    }

    /// Drops these connections, and counts those that had not ended as lost.
    fn give_up(&mut self, at: Timestamp, going: &[ConnectionId]) {
        let alive = |id: &&ConnectionId| {
            self.connections.get(**id).is_some_and(|connection| connection.phase != Phase::Closed)
        };
        let lost = going.iter().filter(alive).count();
        for id in going {
            if let Some(connection) =
                self.connections.get_mut(*id).filter(|gone| gone.verdict_due().is_some())
            {
                let siblings = self.servers.siblings_of(connection);
                let mut cx = Context::new(&self.config, &mut self.findings);
                connection.tell_verdict(at, siblings, &mut cx);
            }
            self.forget(*id);
        }
        if lost > 0 {
            self.note_loss(at, u64::try_from(lost).unwrap_or(u64::MAX), LossPoint::Tracker);
        }
    }
}

/// The order of going.
fn rank(connection: &Connection) -> u8 {
    match connection.phase {
        Phase::Closed => 0,
        Phase::Flowing => 1,
        Phase::ServerClosed => 2,
        _ => 3,
    }
}
